#pragma once

#include <cerrno>
#include <chrono>
#include <system_error>

#include <orchestrate/orchestrate.hpp>

namespace checksum_tree {

/// Returns what the last system call of this thread failed with.
inline orchestrate::Error LastSystemError() { return std::error_code(errno, std::generic_category()); }

/// Says whether trying again later may help.
///
/// The limits on open files and memory are somebody else's use; EIO, ESTALE and ETIMEDOUT come in passing
/// from network file systems and loose cables. On a broken disk that costs a few attempts a file.
inline bool IsTransient(const orchestrate::Error& error) {
  for (const std::errc code : {std::errc::interrupted, std::errc::resource_unavailable_try_again,
                               std::errc::too_many_files_open, std::errc::too_many_files_open_in_system,
                               std::errc::not_enough_memory, std::errc::io_error, std::errc::timed_out}) {
    if (error.Is(std::make_error_condition(code))) return true;
  }
  return error.Code() == std::error_code(ESTALE, std::generic_category());
}

/// How often and how soon that is: five attempts within about 200 ms.
inline constexpr orchestrate::RetryOptions kPatience{
    .attempts = 5, .first_delay = std::chrono::milliseconds(10), .jitter = 0.5, .retry_if = IsTransient};

}  // namespace checksum_tree
