// How much memory does something take that waits? Beside it: tasks of tokio.
#include <orchestrate/flow/sleep.hpp>

#include <future>
#include <utility>
#include <vector>

#include "pool.hpp"

namespace bench {
namespace {

constexpr std::size_t kPending = 100'000;

template <typename Make>
std::vector<orchestrate::Task<void>> Many(Make make) {
  std::vector<orchestrate::Task<void>> tasks;
  tasks.reserve(kPending);
  for (std::size_t i = 0; i < kPending; ++i) tasks.push_back(make());
  return tasks;
}

// Tasks behind others that keep all workers.
class Queued {
 public:
  explicit Queued(const Pool& pool) {
    for (std::size_t i = 0; i < pool.runtime.Workers(); ++i) {
      std::promise<void> begun;
      auto begins = begun.get_future();
      before_.push_back(
          orchestrate::Invoke(pool.background, [begun = std::move(begun), open = opened_]() mutable {
            begun.set_value();
            open.wait();
          }));
      begins.wait();
    }
    tasks_ = Many([&pool] { return orchestrate::Invoke(pool.background, [] {}); });
  }
  Queued(const Queued&) = delete;
  Queued& operator=(const Queued&) = delete;
  ~Queued() {
    open_.set_value();
    for (const auto& task : before_) Keep(task.Wait());
    for (const auto& task : tasks_) Keep(task.Wait());
  }

 private:
  std::promise<void> open_;
  std::shared_future<void> opened_ = open_.get_future().share();
  std::vector<orchestrate::Task<void>> before_;
  std::vector<orchestrate::Task<void>> tasks_;
};

const Case kPendingMemory("pending_memory", "", [](const Setup& setup) {
  const auto pool = MakePool(setup);
  const auto sleeps = [pool] {
    return std::make_shared<std::vector<orchestrate::Task<void>>>(
        Many([&pool] { return orchestrate::Sleep(pool->background, std::chrono::hours(1)); }));
  };
  const auto tasks = [pool] { return std::make_shared<Queued>(*pool); };
  return Growth(kPending, {{"_sleep", sleeps}, {"_task", tasks}});
});

}  // namespace
}  // namespace bench
