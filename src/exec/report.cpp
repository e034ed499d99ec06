#include <cstdio>
#include <string>

#include <orchestrate/exec/timer_service.hpp>

#include "runtime_core.hpp"

namespace orchestrate::inline v1::detail {

void RuntimeCore::SendReport(const Report& report) noexcept {
  // The count first, then the flag; Retire() does it the other way round. Until then the user's clock and
  // on_report are there.
  reporting_.fetch_add(1, std::memory_order_seq_cst);
  const bool is_muted = muted_.load(std::memory_order_seq_cst);
  if (!is_muted) {
    std::vector<KeptReport> due;
    const std::size_t count = equal_reports_.Admit(report, timers_->Now(), due);
    TellAll(due);
    Report told = report;
    told.count = count;
    if (count != 0) Tell(told);
  }
  reporting_.fetch_sub(1, std::memory_order_seq_cst);
  if (is_muted) PrintReport(report);
}

void RuntimeCore::TellCounted() noexcept {
  std::vector<KeptReport> due;
  equal_reports_.TakeAll(due);
  TellAll(due);
}

void RuntimeCore::TellAll(const std::vector<KeptReport>& reports) noexcept {
  for (const KeptReport& kept : reports) {
    if (kept.count != 0) Tell(kept.View());
  }
}

void RuntimeCore::Tell(const Report& report) noexcept {
  if (!options_.on_report) return PrintReport(report);
  try {
    options_.on_report(report);
  } catch (...) {
    EndIfThreadLeaves();
    std::fputs("orchestrate: on_report threw; its report follows\n", stderr);
    PrintReport(report);
  }
}

void PrintReport(const Report& report) noexcept {
  try {
    std::string line = "orchestrate: " + std::string(report.what);
    if (report.count > 1) line += " (" + std::to_string(report.count) + " times)";
    if (!report.task.empty()) line += ", task " + std::string(report.task);
    if (report.line != 0)
      line += ", spawned at " + std::string(report.file) + ":" + std::to_string(report.line);
    if (report.error) line += ": " + report.error.Message();
    line += '\n';
    std::fputs(line.c_str(), stderr);
  } catch (...) {
    std::fputs("orchestrate: a report was lost for want of memory\n", stderr);
  }
}

}  // namespace orchestrate::inline v1::detail
