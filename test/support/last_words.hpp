#pragma once

#include <functional>
#include <stdexcept>
#include <utility>

namespace orchestrate::test {

// An exception whose destructor calls a function. Throw it as a temporary, so that there is one of it.
class LastWords : public std::runtime_error {
 public:
  explicit LastWords(std::function<void()> say) : std::runtime_error("last words"), say_(std::move(say)) {}
  LastWords(const LastWords&) = default;
  LastWords& operator=(const LastWords&) = default;
  ~LastWords() override { say_(); }

 private:
  std::function<void()> say_;
};

}  // namespace orchestrate::test
