#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <orchestrate/base/export.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace orchestrate::inline v1 {

/// Lists what can go wrong inside the library itself; the values are those of `ErrorCategory()`.
enum class Errc {
  Cancelled = 1,      ///< the work or its context was cancelled
  DeadlineExceeded,   ///< the deadline passed first
  Exception,          ///< the work threw
  InvalidArgument,    ///< an argument is out of its range
  NotStarted,         ///< nobody has started, or will start, the task
  QueueFull,          ///< a bounded queue has no room
  Closed,             ///< the channel is closed and drained
  AlreadyTerminal,    ///< the task or promise has its outcome already
  AlreadyTaken,       ///< the value was moved out before
  NotSupported,       ///< not possible here
  NotRunning,         ///< it has not been started, or has ended
  ShutDown,           ///< the executor takes no more work
  AlreadyRegistered,  ///< somebody holds this place already
  OutOfResources,     ///< memory, threads, slots or descriptors are used up
  WouldDeadlock,      ///< the wait could never end
};

}  // namespace orchestrate::inline v1

// Here, before anything asks.
template <>
struct std::is_error_code_enum<orchestrate::Errc> : std::true_type {};

namespace orchestrate::inline v1 {

/// Returns the category of `Errc`, named "orchestrate".
[[nodiscard]] ORCHESTRATE_API const std::error_category& ErrorCategory() noexcept;

/// Makes the standard error code of `code`.
[[nodiscard]] inline std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), ErrorCategory()};
}

struct IndexedError;

/// Counts what a joined error stands for, which may be more than the parts it kept.
struct JoinCounts {
  std::size_t failures = 0;  ///< how many failed; 0 = as many as there are parts
  std::size_t total = 0;     ///< out of how many; 0 = not known
};

namespace detail {
struct ErrorRep;
struct ErrorReps;
class AtomicError;
}  // namespace detail

/// Says why something failed, or (empty) that nothing did.
///
/// One pointer wide. A plain `Errc` lies in the pointer itself, so that it costs no allocation; everything
/// else is an immutable, reference-counted block. An error that cannot be built for want of memory becomes
/// `Errc::OutOfResources`.
///
/// @par Thread safety  Copies may be used in any thread; one object follows the rules of an `int`.
class ORCHESTRATE_API Error {
 public:
  /// Makes the empty error: nothing failed.
  constexpr Error() noexcept = default;

  /// Makes a plain error; the value 0 is no error.
  constexpr Error(Errc code) noexcept  // NOLINT(google-explicit-constructor): codes are errors
      : bits_(code == Errc{} ? 0 : (static_cast<std::uintptr_t>(code) << 1) | kPlain) {}

  /// Takes any standard error code; the value 0 is no error, as everywhere in `<system_error>`.
  Error(std::error_code code) noexcept;  // NOLINT(google-explicit-constructor)

  /// Makes an error whose text is `sentence`; the value 0 is no error.
  Error(Errc code, std::string_view sentence) noexcept;
  /// Makes an error whose text is `sentence`; the value 0 is no error.
  Error(std::error_code code, std::string_view sentence) noexcept;

  Error(const Error& other) noexcept : bits_(other.bits_) { Retain(); }
  Error(Error&& other) noexcept : bits_(std::exchange(other.bits_, 0)) {}
  Error& operator=(Error other) noexcept {
    std::swap(bits_, other.bits_);
    return *this;
  }
  ~Error() {
    if (IsShared()) Release();
  }

  /// Wraps an exception: `Errc::Exception`, the text of `what()`, and the object itself for `Rethrow()`.
  ///
  /// A thrown `Error`, `Errc` or `std::error_code`, and the error in an `ErrorException`, is given back as it
  /// is; a `std::system_error` keeps its own code and is still found by `Is(Errc::Exception)`. Where there is
  /// no `what()`, or it is null, the text names the type. Rethrows once to look inside, so call it in the
  /// thread that caught.
  [[nodiscard]] static Error FromException(const std::exception_ptr& exception) noexcept;

  /// Wraps the exception that is being handled; call it inside a `catch` block.
  ///
  /// Ends the process with a sentence when what is handled is `pthread_exit` or a thread's cancellation.
  [[nodiscard]] static Error FromCurrentException() noexcept;

  /// Joins the failures of many into one error, in the order given; empty ones are left out.
  ///
  /// @return no error when no part is left; otherwise `Code()` is that of the first part.
  [[nodiscard]] static Error Join(std::vector<IndexedError> parts, JoinCounts counts = {}) noexcept;

  /// Returns this error with `cause` at the end of its chain of causes, unless it is in that already.
  [[nodiscard]] Error WithCause(Error cause) const noexcept;

  /// Returns this error with `sentence` in front of its text; code, exception, causes and parts stay.
  [[nodiscard]] Error WithContext(std::string_view sentence) const noexcept;

  /// Tells whether an error is set.
  [[nodiscard]] explicit constexpr operator bool() const noexcept { return bits_ != 0; }

  /// Returns the error's own code; zero when empty.
  [[nodiscard]] std::error_code Code() const noexcept;

  /// Returns the text: the sentence (of an exception: exactly `what()`), then each cause after a colon.
  ///
  /// A joined error reads `2 of 5 failed: #1: boom; #3: bang`. At most 64 parts and 4 KiB of joined errors
  /// are spelled out, nested ones included, then `… and 7 more`; one that occurs again is told `(as above)`.
  ///
  /// @par Complexity  O(text), and for a chain of causes its length.
  [[nodiscard]] std::string Message() const;

  /// Returns what caused this error, empty when nothing is known.
  [[nodiscard]] Error Cause() const noexcept;

  /// Returns the exception that this error wraps, or null.
  [[nodiscard]] std::exception_ptr Exception() const noexcept;

  /// Returns the parts of a joined error in their order, none for any other.
  [[nodiscard]] const std::vector<IndexedError>& Parts() const noexcept;

  /// Returns how many failures a joined error stands for, and out of how many; zeros for any other.
  [[nodiscard]] JoinCounts Counts() const noexcept;

  /// Tells whether this error, one of its causes or one of its parts has this code.
  ///
  /// @par Complexity  O(1).
  [[nodiscard]] bool Is(Errc code) const noexcept;
  /// Tells whether this error, one of its causes or one of its parts has this code.
  ///
  /// @par Complexity  O(1) for a code of `Errc`; for others O(distinct errors), and they may not be found
  /// inside
  ///                  joined errors when there is no memory for the search.
  [[nodiscard]] bool Is(std::error_code code) const noexcept;
  /// Tells whether this error, one of its causes or one of its parts meets this condition.
  ///
  /// @par Complexity  As for a code.
  [[nodiscard]] bool Is(std::error_condition condition) const noexcept;

  /// Throws: the exception object itself if one was thrown, otherwise an `ErrorException` with this error.
  [[noreturn]] void Rethrow() const;

  /// Compares identity: true for copies of one error and for the same plain code.
  [[nodiscard]] friend bool operator==(const Error& a, const Error& b) noexcept { return a.bits_ == b.bits_; }
  /// Compares with a code as `Is` does.
  [[nodiscard]] friend bool operator==(const Error& a, Errc code) noexcept { return a.Is(code); }
  /// Compares with a code as `Is` does.
  [[nodiscard]] friend bool operator==(const Error& a, std::error_code code) noexcept { return a.Is(code); }
  /// Compares with a condition as `Is` does.
  [[nodiscard]] friend bool operator==(const Error& a, std::error_condition b) noexcept { return a.Is(b); }

 private:
  friend struct detail::ErrorReps;
  friend class detail::AtomicError;

  // 0: empty. Odd: a plain Errc, shifted left by one. Otherwise the address of a detail::ErrorRep.
  static constexpr std::uintptr_t kPlain = 1;

  explicit Error(detail::ErrorRep* rep) noexcept;
  [[nodiscard]] bool IsShared() const noexcept { return bits_ != 0 && (bits_ & kPlain) == 0; }
  [[nodiscard]] detail::ErrorRep* Rep() const noexcept;
  void Retain() const noexcept {
    if (IsShared()) RetainShared();
  }
  void RetainShared() const noexcept;
  void Release() noexcept;

  std::uintptr_t bits_ = 0;
};

/// Names one failure among many by the index of its task or argument.
struct IndexedError {
  std::size_t index = 0;
  Error error;
};

/// Carries an `Error` that no exception stands behind through a `throw`.
class ORCHESTRATE_API ErrorException final : public std::runtime_error {
 public:
  /// Makes the exception; `what()` is the text of `error`.
  explicit ErrorException(Error error) : std::runtime_error(error.Message()), error_(std::move(error)) {}
  ErrorException(const ErrorException&) noexcept = default;
  ErrorException& operator=(const ErrorException&) noexcept = default;
  ~ErrorException() override;

  /// Returns the error.
  [[nodiscard]] const Error& Failure() const noexcept { return error_; }

 private:
  Error error_;
};

namespace detail {

// Ends the process with a sentence when the calling `catch (...)` has caught the unwinding of pthread_exit()
// or of a cancelled thread: that may be neither swallowed nor passed on through the frames of oneTBB below.
ORCHESTRATE_API void EndIfThreadLeaves() noexcept;

// Returns the error that `make` puts together, or `Errc::OutOfResources` when there is no memory for that.
template <class Make>
[[nodiscard]] Error MakeError(Make make) noexcept {
  try {
    return make();
  } catch (...) {
    return Errc::OutOfResources;
  }
}

}  // namespace detail
}  // namespace orchestrate::inline v1
