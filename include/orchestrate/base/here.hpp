#pragma once

#include <bit>
#include <source_location>

namespace orchestrate::inline v1::detail {

using BuiltinLocation = decltype(__builtin_source_location());
static_assert(sizeof(std::source_location) == sizeof(BuiltinLocation), "a location is one pointer");

/// Returns where the call stands that uses this as a default argument.
///
/// What `std::source_location::current()` does, except that Clang 16 refuses a consteval function as a
/// default argument within a default member initializer: `Task<int> task = Invoke(fn);`.
[[nodiscard]] inline std::source_location Here(BuiltinLocation here = __builtin_source_location()) noexcept {
  return std::bit_cast<std::source_location>(here);
}

}  // namespace orchestrate::inline v1::detail
