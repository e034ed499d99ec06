#pragma once

#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <vector>

#include <orchestrate/orchestrate.hpp>

namespace orchestrate::test {

// Keeps what a runtime reports.
class ReportLog {
 public:
  struct Entry {
    std::string what;
    std::string task;
    std::string file;
    unsigned line;
    Error error;
    std::size_t count = 1;
  };

  [[nodiscard]] Function<void(const Report&)> Sink() {
    return [this](const Report& report) {
      const std::lock_guard lock(mutex_);
      entries_.push_back({std::string(report.what), std::string(report.task), report.file, report.line,
                          report.error, report.count});
    };
  }

  // Gives the reports away: what is left at the end of a test is unexpected.
  [[nodiscard]] std::vector<Entry> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(entries_, {});
  }

  [[nodiscard]] std::size_t Size() {
    const std::lock_guard lock(mutex_);
    return entries_.size();
  }

 private:
  std::mutex mutex_;
  std::vector<Entry> entries_;  // under mutex_
};

// A runtime with as many workers as the parameter says. A report that the test did not take fails it.
class WithRuntime : public testing::TestWithParam<std::size_t> {
 protected:
  WithRuntime() : WithRuntime(RuntimeOptions(GetParam())) {}
  explicit WithRuntime(RuntimeOptions options)
      : runtime_(Reporting(std::move(options))), ctx_(runtime_.Background()) {}

  void TearDown() override {
    ctx_ = Context::Background();
    (void)runtime_.Shutdown(ShutdownMode::Cancel, std::chrono::seconds(20));
    for (const auto& entry : reports_.Take())
      ADD_FAILURE() << "reported: " << entry.what << ": " << entry.error.Message();
  }

 private:
  RuntimeOptions Reporting(RuntimeOptions options) {
    options.on_report = reports_.Sink();
    return options;
  }

 protected:
  ReportLog reports_;
  Runtime runtime_;
  Context ctx_;
};

// The widths over which everything concurrent is tested.
inline auto Widths() { return testing::Values<std::size_t>(1, 2, 8); }
inline std::string WidthName(const testing::TestParamInfo<std::size_t>& info) {
  return std::to_string(info.param) + "Workers";
}

}  // namespace orchestrate::test
