#include "exec/equal_reports.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

namespace orchestrate::inline v1::detail {
namespace {

constexpr Nanoseconds kOften = std::chrono::seconds(1);
constexpr std::size_t kMostEntries = 256;

KeptReport Keep(const Report& report) {
  return {.what = std::string(report.what),
          .task = std::string(report.task),
          .file = report.file,
          .line = report.line,
          .error = {},
          .column = report.column};
}

bool IsSamePlace(const KeptReport& kept, const Report& report) noexcept {
  return kept.line == report.line && kept.column == report.column && kept.what == report.what &&
         kept.file == report.file;
}

}  // namespace

std::size_t EqualReports::Admit(const Report& report, TimePoint now, std::vector<KeptReport>& due) noexcept {
  const std::lock_guard lock(mutex_);
  try {
    return AdmitLocked(report, now, due);
  } catch (...) {  // without memory to count, it is told
    return 1;
  }
}

std::size_t EqualReports::AdmitLocked(const Report& report, TimePoint now, std::vector<KeptReport>& due) {
  const std::error_code code = report.error.Code();
  Entry* equal = nullptr;
  due.reserve(entries_.size() + 1);  // so that nothing below throws half-way
  for (std::size_t i = 0; i < entries_.size();) {
    Entry& entry = entries_[i];
    const bool is_over = now - entry.told >= kOften;
    if (entry.code == code && IsSamePlace(entry.pending, report)) {
      equal = &entry;
    } else if (is_over) {
      if (entry.pending.count != 0) due.push_back(std::move(entry.pending));
      if (&entry != &entries_.back()) entry = std::move(entries_.back());
      entries_.pop_back();
      continue;
    }
    ++i;
  }
  if (equal == nullptr) {
    Entry fresh{now, code, Keep(report)};
    if (entries_.size() < kMostEntries) {
      entries_.push_back(std::move(fresh));
    } else {
      Replace(std::move(fresh), due);
    }
    return 1;
  }
  KeptReport& pending = equal->pending;
  if (now - equal->told >= kOften) {
    equal->told = now;
    const std::size_t count = pending.count + 1;
    if (pending.count == 0) return count;
    pending.count = 0;
    KeptReport rest = pending;
    std::swap(rest.error, pending.error);  // is the user's: it is destroyed without the lock
    due.push_back(std::move(rest));
    return count;
  }
  if (pending.count == 0) {
    pending.task = report.task;
    pending.error = report.error;
  }
  ++pending.count;
  return 0;
}

// In place of the entry that was told longest ago: its second is over first.
void EqualReports::Replace(Entry fresh, std::vector<KeptReport>& due) noexcept {
  const auto oldest = std::min_element(entries_.begin(), entries_.end(),
                                       [](const Entry& a, const Entry& b) { return a.told < b.told; });
  if (oldest->pending.count != 0) due.push_back(std::move(oldest->pending));
  *oldest = std::move(fresh);
}

void EqualReports::TakeAll(std::vector<KeptReport>& due) noexcept {
  std::vector<Entry> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(entries_);
  }
  for (Entry& entry : all) {
    if (entry.pending.count == 0) continue;
    try {
      due.push_back(std::move(entry.pending));
    } catch (...) {  // without memory it is not told
    }
  }
}

}  // namespace orchestrate::inline v1::detail
