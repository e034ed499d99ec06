#pragma once

/// Marks what the library exports.
///
/// A static library needs nothing; a shared one is built with `ORCHESTRATE_SHARED` and `ORCHESTRATE_BUILDING`
/// and used with `ORCHESTRATE_SHARED` alone, which the CMake target hands on.
#if defined(_WIN32) && defined(ORCHESTRATE_SHARED)
#if defined(ORCHESTRATE_BUILDING)
#define ORCHESTRATE_API __declspec(dllexport)
#else
#define ORCHESTRATE_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define ORCHESTRATE_API __attribute__((visibility("default")))
#else
#define ORCHESTRATE_API
#endif
