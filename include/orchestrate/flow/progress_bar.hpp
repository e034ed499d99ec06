#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <orchestrate/base/export.hpp>
#include <orchestrate/base/function.hpp>
#include <orchestrate/flow/progress.hpp>
#include <orchestrate/time/clock.hpp>

namespace orchestrate::inline v1 {

/// Says what the output of a `ProgressBar` can show.
enum class ProgressStyle : unsigned char {
  Auto,      ///< `Terminal` when the output is one and `TERM` is not "dumb", else `Lines`.
  Terminal,  ///< One line that is drawn again and again.
  Lines      ///< A line now and then, and one at the end.
};

/// Says how a `ProgressBar` draws.
struct ProgressBarOptions {
  std::string label;                          ///< Stands in front, for instance the name of the job.
  ProgressStyle style = ProgressStyle::Auto;  ///< With a sink `Auto` means `Lines`.
  std::size_t columns = 0;                    ///< Width; 0 = the terminal's, asked at each redraw, else 80.
  Nanoseconds redraw = std::chrono::milliseconds(100);  ///< Least time between two pictures on a terminal.
  Nanoseconds line = std::chrono::seconds(5);  ///< Least time between two lines; the first comes after it.
  const ClockSource* clock = nullptr;          ///< Must outlive the bar; null = the steady clock.

  ProgressBarOptions() = default;
  ProgressBarOptions(std::string text) : label(std::move(text)) {}  // NOLINT: ProgressBar("files")
  ProgressBarOptions(const char* text) : label(text) {}             // NOLINT: ProgressBar("files")
};

/// Shows how far work has come: on a terminal one line that fits its width, elsewhere a line now and then.
///
/// Shown are the share, the counts, the rate, the time left, failures and what runs, as far as known and as
/// there is room. Hand `Update` to whatever counts, for instance as the progress callback of a job's options:
/// `[&bar](const Progress& progress) { bar.Update(progress); }`.
///
/// @par Thread safety  All members may be called from any thread.
class ORCHESTRATE_API ProgressBar {
 public:
  /// Takes each piece of output: a picture with its control characters, or whole lines.
  using Sink = Function<void(std::string_view)>;

  /// Makes a bar on `out`, which stays open as long as the bar lives.
  ///
  /// @par Errors  Throws `ErrorException` with `InvalidArgument` when `out` is null; `std::bad_alloc`.
  explicit ProgressBar(ProgressBarOptions options = {}, std::FILE* out = stderr);

  /// Makes a bar that gives its output to `sink`, one call at a time; what the sink throws is dropped.
  ///
  /// @par Errors  Throws `ErrorException` with `InvalidArgument` when `sink` is empty; `std::bad_alloc`.
  ProgressBar(ProgressBarOptions options, Sink sink);

  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  /// Calls `Finish`.
  ~ProgressBar();

  /// Takes the latest counts, and shows them if that is due.
  ///
  /// Counts with fewer done than before are out of date and left out.
  /// @par Blocks      For the time of the output when it is due and no other thread draws, else never.
  /// @par Complexity  About the time of reading the clock while nothing is due.
  void Update(const Progress& progress) noexcept;

  /// Prints `text` as a line of its own, above the bar.
  void Print(std::string_view text) noexcept;

  /// Shows the last counts with the time it took, and ends; a second call and later updates do nothing.
  void Finish() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace orchestrate::inline v1
