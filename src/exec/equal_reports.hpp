#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/exec/runtime.hpp>
#include <orchestrate/time/clock.hpp>

namespace orchestrate::inline v1::detail {

// A report that outlives the one it was made from.
struct KeptReport {
  std::string what;
  std::string task;
  std::string file;
  unsigned line = 0;
  Error error;
  std::size_t count = 0;
  unsigned column = 0;

  [[nodiscard]] Report View() const noexcept {
    return {.what = what,
            .task = task,
            .file = file.c_str(),
            .line = line,
            .error = error,
            .count = count,
            .column = column};
  }
};

// Lets each of several equal reports (one place, one sentence, one code) pass once a second and counts the
// others, so that a failure that comes again and again does not bury the rest.
class EqualReports {
 public:
  // Returns how many `report` stands for, 0 when it is only counted. `due` gets what was counted before and
  // whose second is over; the caller tells of it what has a count, and destroys it, without a lock.
  [[nodiscard]] std::size_t Admit(const Report& report, TimePoint now, std::vector<KeptReport>& due) noexcept;
  // Moves all that was counted and not told to `due`.
  void TakeAll(std::vector<KeptReport>& due) noexcept;

 private:
  struct Entry {
    TimePoint told;
    std::error_code code;
    KeptReport pending;  // its count is of those since then
  };

  [[nodiscard]] std::size_t AdmitLocked(const Report& report, TimePoint now, std::vector<KeptReport>& due);

  void Replace(Entry fresh, std::vector<KeptReport>& due) noexcept;

  Mutex mutex_;
  std::vector<Entry> entries_;  // under mutex_
};

}  // namespace orchestrate::inline v1::detail
