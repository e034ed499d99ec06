#include "report.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "format.hpp"

namespace checksum_tree {

void Say(const std::string& sentence) {
  const std::string line = "checksum_tree: " + sentence + '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);  // one call: lines of several threads do not mix
}

Heartbeat::Heartbeat(const Traffic& traffic) : traffic_(traffic) {
  if (::isatty(STDERR_FILENO) == 1) bar_.emplace("checksum_tree");
}

void Heartbeat::Beat() {
  if (bar_) return;
  const auto now = Clock::now();
  const std::uint64_t bytes = traffic_.bytes.load(std::memory_order_relaxed);
  Say(FormatAmount(traffic_.files.load(std::memory_order_relaxed), bytes) + ", " +
      FormatRate(bytes - last_bytes_, now - last_));
  last_ = now;
  last_bytes_ = bytes;
}

void Heartbeat::Show(const orchestrate::Progress& progress) {
  if (bar_) bar_->Update(progress);
}

void Heartbeat::Finish() {
  bar_.reset();
  const auto time = Clock::now() - start_;
  const std::uint64_t bytes = traffic_.bytes.load(std::memory_order_relaxed);
  Say(FormatAmount(traffic_.files.load(std::memory_order_relaxed), bytes) + " in " + FormatTime(time) + ", " +
      FormatRate(bytes, time));
}

Counts ReportErrors(const Tree& tree) {
  Counts counts;
  std::vector<std::pair<const std::string*, const orchestrate::Error*>> errors;
  for (const DirectoryError& directory : tree.errors) errors.emplace_back(&directory.path, &directory.error);
  for (const File& file : tree.files) {
    if (file.state == FileState::Digested) ++counts.digested;
    if (file.state == FileState::Pending) ++counts.pending;
    if (file.state == FileState::Failed) errors.emplace_back(&file.path, &file.error);
  }
  std::sort(errors.begin(), errors.end(), [](auto& a, auto& b) { return *a.first < *b.first; });
  for (const auto& [path, error] : errors) Say(Escaped(*path) + ": " + error->Message());
  counts.errors = errors.size();
  return counts;
}

}  // namespace checksum_tree
