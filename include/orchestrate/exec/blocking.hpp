#pragma once

#include <utility>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/function.hpp>

namespace orchestrate::inline v1 {

namespace detail {

class RuntimeCore;

// The thread gives its worker's place away while this lives.
class ORCHESTRATE_API BlockingCall {
 public:
  BlockingCall() noexcept;
  BlockingCall(const BlockingCall&) = delete;
  BlockingCall& operator=(const BlockingCall&) = delete;
  ~BlockingCall();

 private:
  RuntimeCore* gave_ = nullptr;
};

}  // namespace detail

/// Calls `fn`, which blocks by means the library does not know: a system call, a foreign lock or queue.
///
/// Another worker goes on in place of this one meanwhile, and what this thread had forked can be run by
/// others. Outside of tasks it is just a call.
/// @return what `fn` returns; what it throws is thrown.
/// @par Errors        Throws `ErrorException` with `InvalidArgument` for an empty function.
/// @par Blocks        As long as `fn` does. When all spare workers of the runtime are in use it keeps its
/// own.
/// @par Cancellation  None: `fn` looks at its context itself.
/// @par Complexity    Two changes of the permits, and a wake when a worker sleeps and work waits.
template <class F>
decltype(auto) Blocking(F&& fn) {
  if (detail::IsEmptyCallable(fn)) Error(Errc::InvalidArgument, "Blocking: the function is empty").Rethrow();
  const detail::BlockingCall call;
  return std::forward<F>(fn)();
}

}  // namespace orchestrate::inline v1
