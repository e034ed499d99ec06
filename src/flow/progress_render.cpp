#include "flow/progress_render.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

namespace orchestrate::inline v1::detail {
namespace {

constexpr double kMemory = 10;                // seconds: how far back the rate looks
constexpr double kMostSeconds = 100'000'000;  // beyond three years nothing is said about the time left
constexpr std::size_t kLeastBar = 12;         // columns, with its brackets
constexpr std::size_t kMostBar = 42;

double Seconds(Nanoseconds duration) noexcept { return std::chrono::duration<double>(duration).count(); }

template <class... Args>
std::string Print(const char* format, Args... args) {
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), format, args...);
  return {text.data(), static_cast<std::size_t>(std::clamp(length, 0, static_cast<int>(text.size()) - 1))};
}

// "0:05", "12:34", "1:02:03".
std::string Spell(double seconds) {
  const auto whole = static_cast<unsigned long long>(std::min(seconds, kMostSeconds));
  const auto hours = whole / 3600;
  const auto minutes = whole / 60 % 60;
  if (hours == 0) return Print("%llu:%02llu", minutes, whole % 60);
  return Print("%llu:%02llu:%02llu", hours, minutes, whole % 60);
}

std::string SpellRate(double per_second) {
  if (per_second >= 99.95) return Print("%.0f/s", per_second);
  if (per_second >= 1) return Print("%.1f/s", per_second);
  return Print("%.1f/min", per_second * 60);
}

// The parts of both forms; empty where nothing is known or worth a word.
struct Parts {
  explicit Parts(const ProgressView& view)
      : total(view.progress.total == 0 ? 0 : std::max(view.progress.total, view.progress.done)) {
    const Progress& p = view.progress;
    counts = std::to_string(p.done);
    if (total != 0) {
      counts += '/' + std::to_string(total);
      // Rounded down: 100% means all.
      share = static_cast<double>(p.done) / static_cast<double>(total);
      percent = Print("%.0f%%", std::floor(p.done == total ? 100 : std::min(share * 100, 99.0)));
    }
    if (view.per_second > 0) rate = SpellRate(view.per_second);
    if (view.is_final) {
      time = "in " + Spell(Seconds(view.elapsed));
    } else if (p.done < total && view.per_second > 0) {
      const double left = static_cast<double>(total - p.done) / view.per_second;
      if (left < kMostSeconds) time = "ETA " + Spell(std::ceil(left));
    }
    if (p.failures != 0) failed = std::to_string(p.failures) + " failed";
    if (p.running != 0 && !view.is_final) running = std::to_string(p.running) + " running";
  }

  std::size_t total;
  double share = 0;
  std::string percent, counts, rate, time, failed, running;
};

// Columns that UTF-8 text takes, if no character is wide.
std::size_t Width(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

// The longest beginning that takes at most `columns`.
std::string_view Cut(std::string_view text, std::size_t columns) noexcept {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U && ++width > columns) return text.substr(0, i);
  }
  return text;
}

std::string Bar(double share, std::size_t columns) {
  const std::size_t inside = columns - 2;
  const auto full = static_cast<std::size_t>(share * static_cast<double>(inside));
  std::string bar(columns, ' ');
  bar.front() = '[';
  bar.replace(1, full, full, '=');
  if (full < inside) bar[1 + full] = '>';
  bar.back() = ']';
  return bar;
}

}  // namespace

void Speed::Note(TimePoint now, std::size_t done) noexcept {
  const double passed = Seconds(now - last_);
  if (passed <= 0) return;
  const double current = static_cast<double>(done - last_done_) / passed;
  // The average over all time while that is short: it weighs each moment alike.
  const double weight = std::max(-std::expm1(-passed / kMemory), passed / Seconds(now - start_));
  per_second_ += (current - per_second_) * std::min(weight, 1.0);
  last_ = now;
  last_done_ = done;
}

double Speed::Average(TimePoint now, std::size_t done) const noexcept {
  const double passed = Seconds(now - start_);
  return passed > 0 ? static_cast<double>(done) / passed : 0;
}

std::string RenderBar(const ProgressView& view, std::size_t columns) {
  const Parts parts(view);
  const std::array<std::string_view, 7> shown{view.label, parts.percent, parts.counts, parts.rate,
                                              parts.time, parts.failed,  parts.running};
  // What goes when there is no room: what runs first, then the rate, the label, the time, the share.
  constexpr std::array<std::size_t, 5> kDispensable{6, 3, 0, 4, 1};
  std::array<bool, 7> kept{};
  std::size_t width = 0;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    kept[i] = !shown[i].empty();
    if (kept[i]) width += Width(shown[i]) + 1;
  }
  for (const std::size_t i : kDispensable) {
    if (width <= columns + 1) break;
    if (std::exchange(kept[i], false)) width -= Width(shown[i]) + 1;
  }
  // `width` counts a space after each part; the bar comes after the label and takes what is left.
  std::string bar;
  if (parts.total != 0 && columns >= width + kLeastBar)
    bar = Bar(parts.share, std::min(columns - width, kMostBar));
  std::string line;
  const auto add = [&line](std::string_view part) {
    if (part.empty()) return;
    if (!line.empty()) line += ' ';
    line += part;
  };
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (kept[i]) add(shown[i]);
    if (i == 0) add(bar);
  }
  line.resize(Cut(line, columns).size());
  return line;
}

std::string RenderLine(const ProgressView& view) {
  const Parts parts(view);
  std::string line(view.label);
  if (!line.empty()) line += ": ";
  line += parts.counts;
  if (!parts.percent.empty()) line += " (" + parts.percent + ")";
  for (const std::string* part : {&parts.time, &parts.rate, &parts.failed, &parts.running}) {
    if (!part->empty()) line += ", " + *part;
  }
  return line;
}

}  // namespace orchestrate::inline v1::detail
