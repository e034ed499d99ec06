#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <orchestrate/flow/progress.hpp>
#include <orchestrate/time/clock.hpp>

namespace orchestrate::inline v1::detail {

// Items a second: the average at first, later mostly what the last ten seconds were like. Pure.
class Speed {
 public:
  explicit Speed(TimePoint start) noexcept : start_(start), last_(start) {}

  // `done` is never less than before.
  void Note(TimePoint now, std::size_t done) noexcept;
  [[nodiscard]] double PerSecond() const noexcept { return per_second_; }
  [[nodiscard]] double Average(TimePoint now, std::size_t done) const noexcept;

 private:
  TimePoint start_;
  TimePoint last_;
  std::size_t last_done_ = 0;
  double per_second_ = 0;
};

// What is shown at one moment.
struct ProgressView {
  std::string_view label;
  Progress progress;
  double per_second = 0;
  Nanoseconds elapsed{};
  bool is_final = false;
};

// One line for a terminal of so many columns, without control characters.
[[nodiscard]] std::string RenderBar(const ProgressView& view, std::size_t columns);
// One line for a log, without its end.
[[nodiscard]] std::string RenderLine(const ProgressView& view);

}  // namespace orchestrate::inline v1::detail
