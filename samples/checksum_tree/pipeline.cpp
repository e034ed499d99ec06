#include "pipeline.hpp"

#include <chrono>
#include <cmath>
#include <csignal>

#include "failure.hpp"
#include "walk.hpp"

namespace checksum_tree {
namespace {

using namespace orchestrate;
using namespace std::chrono_literals;

// How many files the walk may be ahead.
constexpr std::size_t kQueuedFiles = 16384;
// After an early end the walk goes on for at most so long, to count what is left.
constexpr auto kCountingTime = 1s;

Context EndOfRun(const Context& root, const Options& options) {
  // [end]
  Context ctx = root.WithSignal({SIGINT});
  return options.timeout ? ctx.WithTimeout(*options.timeout) : ctx;
  // [/end]
}

}  // namespace

// Files that are read occupy a worker each. One more is for the walk, and for the heartbeat amid long files.
Pipeline::Pipeline(const Options& options, const struct stat& output, Tree& tree)
    : options_(options),
      output_(output),
      tree_(tree),
      queue_(kQueuedFiles),
      runtime_(options.jobs + 1),
      ctx_(EndOfRun(runtime_.Background(), options)),
      feeding_(ctx_.WithCancel()) {
  if (options.files_per_second) {
    limiter_.emplace(Rate(1, std::chrono::nanoseconds(std::llround(1e9 / *options.files_per_second))));
  }
}

Ending Pipeline::Run() {
  const Context root = runtime_.Background();
  const Context walking = root.WithCancel();
  const Task<void> walk = StartWalk(walking);
  // [pipeline]
  Job heartbeat = Repeat(root, 1s, [this] { heartbeat_.Beat(); });
  Job digesting = Consume(Where(ctx_).Named("digest"), options_.jobs, queue_,
                          ConsumeOptions().WithProgress([this](Progress progress) {
                            progress.total =
                                files_found_;  // what the channel has passed on so far is no total
                            heartbeat_.Show(progress);
                          }));
  (void)digesting.Wait();  // the files' errors are in the tree
  // [/pipeline]
  Error early = ctx_.Err();
  feeding_.Cancel();
  if (!walk.WaitFor(kCountingTime)) walking.Cancel();
  const Error unlisted = walk.Wait();
  heartbeat.Cancel();
  (void)heartbeat.Wait();
  heartbeat_.Finish();
  return {early, !unlisted};
}

Task<void> Pipeline::StartWalk(const Context& walking) {
  // [walk]
  auto walk = Invoke(Where(walking).Named("walk"), [this](Context& ctx) {
    return Walk(ctx, options_.directory, tree_, [this](File& file) { Feed(file); });
  });
  return Finally(walk, [this] {
    files_found_ = tree_.files.size();
    queue_.Close();  // however it ended: those who consume must not wait for more
  });
  // [/walk]
}

// Called by the walk, in its order. After an early end it only counts on.
void Pipeline::Feed(File& file) {
  if (is_feeding_) is_feeding_ = !Enqueue(file);
}

Error Pipeline::Enqueue(File& file) {
  // [feed]
  if (limiter_) {
    if (Error error = limiter_->Acquire(feeding_)) return error;
  }
  return queue_.Send(feeding_, NewTask([this, &file](Context& ctx) {
                       return Retry(ctx, kPatience, [this, &file](Context& c) {
                         return DigestFile(c, file, output_, traffic_);
                       });
                     }));
  // [/feed]
}

}  // namespace checksum_tree
