#pragma once

#include <cstddef>
#include <string>

namespace orchestrate::inline v1::detail {

// "1 body", "2 bodies".
[[nodiscard]] inline std::string Counted(std::size_t count, const char* one, const char* many) {
  return std::to_string(count) + ' ' + (count == 1 ? one : many);
}

}  // namespace orchestrate::inline v1::detail
