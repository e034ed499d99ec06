#pragma once

#include <orchestrate/task/detail/context_node.hpp>

namespace orchestrate::inline v1::detail {

// A scope below another node; by itself it can only be cancelled.
struct ChildScope : ScopeNode {
  explicit ChildScope(ContextNode& parent_node, std::uint32_t more_flags = 0) noexcept;
};

}  // namespace orchestrate::inline v1::detail
