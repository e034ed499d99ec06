#pragma once

// Which sanitizer this is compiled for; GCC and Clang say it in different ways.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ORCHESTRATE_TSAN 1
#elif __has_feature(address_sanitizer)
#define ORCHESTRATE_ASAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define ORCHESTRATE_TSAN 1
#elif defined(__SANITIZE_ADDRESS__)
#define ORCHESTRATE_ASAN 1
#endif
