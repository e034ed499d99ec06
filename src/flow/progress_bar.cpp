#include <orchestrate/flow/progress_bar.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <string>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/mutex.hpp>
#include <orchestrate/time/deadline.hpp>
#include "flow/progress_render.hpp"

namespace orchestrate::inline v1 {

using detail::ProgressView;

namespace {

constexpr std::size_t kDefaultColumns = 80;

bool IsTerminal(std::FILE* out) noexcept {
  const char* kind = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): read only
  return ::isatty(::fileno(out)) == 1 && kind != nullptr && std::string_view(kind) != "dumb";
}

std::size_t ColumnsOf(std::FILE* out) noexcept {
  winsize size{};
  if (out == nullptr || ::ioctl(::fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
    return kDefaultColumns;
  return size.ws_col;
}

// A label must not move the cursor.
std::string WithoutControls(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return text;
}

}  // namespace

// `state` is held for a moment by every update, `output` by whoever draws and taken first when both are. An
// update that finds the output busy leaves its counts to the next picture.
struct ProgressBar::Impl {
  Impl(ProgressBarOptions wanted, std::FILE* file, Sink to)
      : options(std::move(wanted)),
        label(WithoutControls(options.label)),
        out(file),
        sink(std::move(to)),
        clock(options.clock != nullptr ? *options.clock : ClockSource::Steady()),
        start(clock.Now()),
        is_terminal(options.style == ProgressStyle::Terminal ||
                    (options.style == ProgressStyle::Auto && out != nullptr && IsTerminal(out))),
        next(is_terminal ? start : SaturatingAdd(start, options.line)),
        speed(start) {}

  void Update(const Progress& progress) noexcept {
    const TimePoint now = clock.Now();
    {
      const std::lock_guard lock(state);
      if (is_finished || (has_counts && progress.done < latest.done)) return;
      latest = progress;
      has_counts = true;
      if (now < next) return;
    }
    if (!output.TryLock()) return;
    const std::lock_guard lock(output, std::adopt_lock);
    ShowIfDue(now);
  }

  void Print(std::string_view text) noexcept {
    const std::lock_guard lock(output);
    try {
      std::string all = picture.empty() ? "" : "\r\x1b[K";
      Write(all.append(text).append("\n").append(picture));
    } catch (...) {
      detail::EndIfThreadLeaves();  // else there was no memory, or the sink threw
    }
  }

  void Finish() noexcept {
    const std::lock_guard lock(output);
    ProgressView view{.label = label, .progress = {}, .is_final = true};
    {
      const std::lock_guard state_lock(state);
      if (std::exchange(is_finished, true) || !has_counts) return;
      view.progress = latest;
    }
    const TimePoint now = clock.Now();
    view.elapsed = now - start;
    view.per_second = speed.Average(now, view.progress.done);
    Show(view);
    picture.clear();
  }

  // ---- `output` is held ----

  void ShowIfDue(TimePoint now) noexcept {
    ProgressView view{.label = label, .progress = {}};
    {
      const std::lock_guard lock(state);
      if (is_finished || now < next) return;
      next = SaturatingAdd(now, is_terminal ? options.redraw : options.line);
      view.progress = latest;
    }
    speed.Note(now, view.progress.done);
    view.per_second = speed.PerSecond();
    Show(view);
  }

  void Show(const ProgressView& view) noexcept {
    try {
      if (!is_terminal) return Write(RenderLine(view) + '\n');
      // The last column stays free: some terminals begin a new line there.
      const std::size_t columns = options.columns != 0 ? options.columns : ColumnsOf(out);
      picture = RenderBar(view, columns - 1);
      Write('\r' + picture + "\x1b[K" + (view.is_final ? "\n" : ""));
    } catch (...) {
      detail::EndIfThreadLeaves();  // else there was no memory, or the sink threw
    }
  }

  void Write(std::string_view text) {
    if (sink) return sink(text);
    std::fwrite(text.data(), 1, text.size(), out);
    std::fflush(out);
  }

  const ProgressBarOptions options;
  const std::string label;
  std::FILE* const out;  // null when there is a sink
  Sink sink;             // called under `output`
  const ClockSource& clock;
  const TimePoint start;
  const bool is_terminal;

  detail::Mutex state;
  Progress latest;           // under `state`
  bool has_counts = false;   // under `state`
  bool is_finished = false;  // under `state`
  TimePoint next;            // under `state`: when something is shown again

  detail::Mutex output;
  detail::Speed speed;  // under `output`
  std::string picture;  // under `output`: what stands in the terminal's last line
};

ProgressBar::ProgressBar(ProgressBarOptions options, std::FILE* out) {
  if (out == nullptr)
    Error(Errc::InvalidArgument, "ProgressBar: out is null, must be an open file").Rethrow();
  impl_ = std::make_unique<Impl>(std::move(options), out, nullptr);
}

ProgressBar::ProgressBar(ProgressBarOptions options, Sink sink) {
  if (!sink) Error(Errc::InvalidArgument, "ProgressBar: the sink is empty").Rethrow();
  impl_ = std::make_unique<Impl>(std::move(options), nullptr, std::move(sink));
}

ProgressBar::~ProgressBar() { Finish(); }

void ProgressBar::Update(const Progress& progress) noexcept { impl_->Update(progress); }
void ProgressBar::Print(std::string_view text) noexcept { impl_->Print(text); }
void ProgressBar::Finish() noexcept { impl_->Finish(); }

}  // namespace orchestrate::inline v1
