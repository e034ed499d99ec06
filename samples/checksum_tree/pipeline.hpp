#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstddef>
#include <optional>

#include <orchestrate/orchestrate.hpp>

#include "digest.hpp"
#include "options.hpp"
#include "report.hpp"
#include "tree.hpp"

namespace checksum_tree {

/// How a run over a tree ended.
struct Ending {
  orchestrate::Error early;  ///< Why it ended before everything was tried; none when it did not.
  bool listed_all = false;   ///< Whether `tree` holds every file there was.
};

/// Finds and digests the files of a tree: a walk feeds a bounded channel, and N tasks at a time consume it.
class Pipeline {
 public:
  /// Prepares it; nothing runs yet.
  ///
  /// @param output  the file that the result goes to, which is not digested.
  Pipeline(const Options& options, const struct stat& output, Tree& tree);

  /// Runs it until everything was tried, the time is over or SIGINT arrives.
  Ending Run();

 private:
  orchestrate::Task<void> StartWalk(const orchestrate::Context& walking);
  void Feed(File& file);
  orchestrate::Error Enqueue(File& file);

  const Options& options_;
  const struct stat& output_;
  Tree& tree_;
  Traffic traffic_;
  Heartbeat heartbeat_{traffic_};
  std::optional<orchestrate::RateLimiter> limiter_;
  orchestrate::Channel<orchestrate::Task<void>> queue_;
  std::atomic<std::size_t> files_found_{0};  // 0 until the walk is at its end
  bool is_feeding_ = true;                   // only the walk looks at it
  // Last, and so destroyed first: its tasks use the members above.
  orchestrate::Runtime runtime_;
  orchestrate::Context ctx_;      // ends with the run
  orchestrate::Context feeding_;  // ends when nobody consumes any more
};

}  // namespace checksum_tree
