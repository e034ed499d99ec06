#pragma once

#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>

namespace orchestrate::test {

// Keeps all workers of a runtime busy with bodies that listen to nobody, until it goes.
class Occupied {
 public:
  explicit Occupied(Runtime& runtime) : started_(static_cast<int>(runtime.Workers())) {
    for (std::size_t i = 0; i < runtime.Workers(); ++i) {
      tasks_.push_back(Invoke(runtime.Background(), [this] {
        started_.Open();
        leave_.Wait();
      }));
    }
  }
  Occupied(const Occupied&) = delete;
  Occupied& operator=(const Occupied&) = delete;
  ~Occupied() {
    leave_.Open();
    for (const auto& task : tasks_) (void)task.Wait();  // it uses the gate
  }

  void WaitUntilAllRun() { started_.Wait(); }

 private:
  Gate started_;
  Gate leave_;
  std::vector<Task<void>> tasks_;
};

}  // namespace orchestrate::test
