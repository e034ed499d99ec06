#include <cstdio>
#include <string>

#include "runtime_core.hpp"

namespace orchestrate::inline v1::detail {

void RuntimeCore::SendReport(const Report& report) noexcept {
  // The count first, then the flag; Retire() does it the other way round.
  reporting_.fetch_add(1, std::memory_order_seq_cst);
  bool sent = false;
  try {
    if (options_.on_report && !muted_.load(std::memory_order_seq_cst)) {
      options_.on_report(report);
      sent = true;
    }
  } catch (...) {
    std::fputs("orchestrate: on_report threw; its report follows\n", stderr);
  }
  reporting_.fetch_sub(1, std::memory_order_seq_cst);
  if (!sent) PrintReport(report);
}

void PrintReport(const Report& report) noexcept {
  try {
    std::string line = "orchestrate: " + std::string(report.what);
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
