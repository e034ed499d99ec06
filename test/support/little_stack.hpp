#pragma once

#include <pthread.h>

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>

namespace orchestrate::test {

// Runs `fn` in a thread with 256 KiB of stack: what recurses there for each link of a chain does not return.
inline void WithLittleStack(std::function<void()> fn) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, std::size_t{256} << 10), 0);
  pthread_t thread{};
  const auto run = [](void* argument) -> void* {
    (*static_cast<std::function<void()>*>(argument))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, &fn), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

}  // namespace orchestrate::test
