#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>

#include <orchestrate/base/result.hpp>
#include <orchestrate/exec/blocking.hpp>
#include <orchestrate/exec/detail/sharer.hpp>
#include <orchestrate/task/context.hpp>
#include <orchestrate/task/detail/fork_job.hpp>
#include <orchestrate/task/task.hpp>
#include <orchestrate/task/where.hpp>

namespace orchestrate::inline v1 {

namespace detail {

struct ForkAccess;

template <class... Ts>
inline constexpr bool kAllVoid = (std::is_void_v<Ts> && ...);

}  // namespace detail

/// Forks and joins: hands out what can be done at the same time, and waits for it.
///
/// A call that `ForkJoin` makes gets one, and so do the functions that it joins: each uses the `Fork` that it
/// was given and no other, within that call. One that another thread works for throws `InvalidArgument`. What
/// is put off lies on the stack and costs a few instructions; only when a worker has nothing to do is the
/// oldest of it, as a rule the largest, handed over.
///
/// @par Thread safety  None: a Fork belongs to the call that received it.
class ORCHESTRATE_API Fork final : private detail::Sharer {
 public:
  Fork(const Fork&) = delete;
  Fork& operator=(const Fork&) = delete;

  /// Calls all of `fns`, perhaps at the same time, and returns their values when all have left.
  ///
  /// @param fns  each callable as fn() or fn(Fork&), returning `T`, `void`, `Error` or `Result<T>`; two at
  ///             least.
  /// @return a `std::tuple` with a value for each, `std::monostate` for one that yields nothing; void when
  /// none
  ///         does.
  /// @par Errors        Throws what the first failing function, in the order of `fns`, threw or returned; the
  ///                    others are stopped, and have left. What a function throws or returns after it was
  ///                    told of a sibling's failure does not count: that failure is thrown. `InvalidArgument`
  ///                    for an empty function, then none is called, and on a thread that the fork does not
  ///                    belong to.
  /// @par Blocks        Until all have left; it works on the rest of the region meanwhile.
  /// @par Cancellation  When the context ends, throws its error: not before the functions that run have left.
  /// @par Complexity    A few instructions for each of `fns` that nobody else takes.
  template <class... Fs>
    requires(sizeof...(Fs) > 1)
  auto Join(Fs&&... fns) {
    CheckThread("Fork::Join");
    static_assert(((detail::kTakesFork<std::remove_reference_t<Fs>> ||
                    std::is_invocable_v<std::remove_reference_t<Fs>&>)&&...),
                  "Fork::Join: each child must be callable as fn() or fn(Fork&)");
    if ((detail::IsEmptyCallable(fns) || ...)) detail::EmptyFunction("Fork::Join").Rethrow();
    if constexpr (detail::kAllVoid<detail::ForkYieldOf<std::remove_reference_t<Fs>>...>) {
      static_cast<void>(JoinAll(fns...));
    } else {
      return JoinAll(fns...);
    }
  }

  /// Throws the error of the context when that has ended, or `Errc::Cancelled` when a sibling has failed.
  ///
  /// For a child that computes for long without a fork. `Join` does the same now and then.
  /// @par Errors      Throws `InvalidArgument` on a thread that the fork does not belong to.
  /// @par Complexity  Two comparisons.
  void ThrowIfStopped() {
    CheckThread("Fork::ThrowIfStopped");
    if (IsAsked()) [[unlikely]]
      Answer();
  }

  /// Returns the context of what runs here, for its waits: it ends with that of the region, and when a
  /// sibling fails.
  ///
  /// Taken before a `Join` it ends, too, when one of the functions that are joined fails. After a failed
  /// `Join` that was caught ask anew.
  /// @par Errors      Throws `InvalidArgument` on a thread that the fork does not belong to, and
  ///                  `std::bad_alloc`.
  /// @par Complexity  A lock of the region; the first call within a function allocates.
  [[nodiscard]] Context GetContext();

 private:
  friend struct detail::ForkAccess;
  friend class detail::ForkRegion;
  friend struct detail::ForkPiece;

  Fork(detail::ForkRegion& region, detail::ForkPiece* piece) noexcept;
  ~Fork();

  // Gives up the contexts of a join, or a loop, of this fork when that is left.
  class Level {
   public:
    explicit Level(Fork& fork) noexcept : fork_(fork) {}
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    ~Level() {
      if (fork_.has_contexts_) [[unlikely]]
        fork_.DropContexts();
    }

   private:
    Fork& fork_;
  };

  void CheckThread(const char* verb) const {
    if (thread_ != detail::ThisThread()) [[unlikely]]
      ThrowForeign(verb);
  }
  [[noreturn]] static void ThrowForeign(const char* verb);
  void DropContexts() noexcept;

  template <class A>
  std::tuple<detail::TuplePart<detail::ForkYieldOf<A>>> JoinAll(A& fn) {
    return {detail::CallIn(fn, *this)};
  }

  template <class A, class... Rest>
    requires(sizeof...(Rest) > 0)
  auto JoinAll(A& fn, Rest&... rest) {
    if constexpr (sizeof...(Rest) == 1) {
      return JoinTwo(fn, rest...);
    } else {
      const auto others = [&rest...](Fork& fork) { return fork.JoinAll(rest...); };
      auto [first, more] = JoinTwo(fn, others);
      return std::tuple_cat(std::make_tuple(std::move(first)), std::move(more));
    }
  }

  template <class A, class B>
  std::tuple<detail::TuplePart<detail::ForkYieldOf<A>>, detail::TuplePart<detail::ForkYieldOf<B>>> JoinTwo(
      A& now, B& later) {
    const Level level(*this);
    detail::CallJob<B> job(later);
    Push(job);
    auto first = [&] {
      try {
        if (IsAsked()) [[unlikely]]
          Answer();
        return detail::CallIn(now, *this);
      } catch (...) {
        Abandon(job);
      }
    }();
    if (newest_ == &job) [[likely]] {
      newest_ = job.older;
      return {std::move(first), detail::CallIn(later, *this)};
    }
    const detail::PieceHold hold(*job.piece);
    if (TakeBack(*job.piece)) {
      --shared_;
      return {std::move(first), detail::CallIn(later, *this)};
    }
    AwaitShared(*job.piece);
    return {std::move(first), job.TakeValue()};
  }

  void Push(detail::ForkJob& job) noexcept {
    job.older = newest_;
    newest_->newer = &job;
    newest_ = &job;
  }
  // Takes a job out of the list of those that were put off.
  void Unlink(detail::ForkJob& job) noexcept {
    if (newest_ == &job) {
      newest_ = job.older;
    } else {
      job.older->newer = job.newer;
      job.newer->older = job.older;
    }
  }

  // Hands the oldest part over, or throws when the work here is of no use any more.
  void Answer();
  void CheckUse();
  [[nodiscard]] bool ShareOldest() noexcept;
  static void ShareAll(detail::Sharer& sharer) noexcept;

  // True when nobody has begun with the piece: the caller does its work.
  [[nodiscard]] bool TakeBack(detail::ForkPiece& piece) noexcept;
  // Waits for a piece that somebody has begun with, and throws its error.
  void Await(detail::ForkPiece& piece);
  // The same for the piece of a join, which is left then.
  void AwaitShared(detail::ForkPiece& piece);
  // The same for a piece that is of no use any more; its error, if it failed before that by itself.
  [[nodiscard]] Error Stop(detail::ForkPiece& piece) noexcept;
  // How many joins and loops are entered. Counted on demand, so that a join costs nothing.
  [[nodiscard]] std::uint32_t Depth() const noexcept { return shared_ + CountTo(*newest_); }
  // How many jobs lie in the list up to `last`.
  [[nodiscard]] std::uint32_t CountTo(const detail::ForkJob& last) const noexcept {
    std::uint32_t count = 0;
    for (const detail::ForkJob* at = &last; at != &root_; at = at->older) ++count;
    return count;
  }
  // Inside a catch block: the join at `depth` has failed here.
  void FailJoin(std::uint32_t depth) noexcept;
  // Inside a catch block: gives `job` up and goes on throwing, or throws the error of the sibling that
  // stopped this one.
  template <class B>
  [[noreturn, gnu::cold, gnu::noinline]] void Abandon(detail::CallJob<B>& job) {
    const std::uint32_t depth = Depth();
    FailJoin(depth);
    Error of_sibling;
    if (newest_ == &job) {
      Unlink(job);
    } else {
      const detail::PieceHold hold(*job.piece);
      of_sibling = Stop(*job.piece);
      if (job.piece->succeeded) std::destroy_at(std::addressof(job.value));
      --shared_;
    }
    GoOnThrowing(of_sibling, depth);
  }
  [[noreturn]] void GoOnThrowing(const Error& of_sibling, std::uint32_t depth);
  void WaitFor(detail::ForkPiece& piece, bool helping) noexcept;

  static constexpr std::uint32_t kNoDepth = ~std::uint32_t{0};

  detail::ForkJob root_{nullptr, nullptr, nullptr};
  detail::ForkJob* newest_ = &root_;
  detail::ForkRegion& region_;
  detail::ForkPiece* piece_;  // whose work this fork does; null at the top
  const void* thread_ = detail::ThisThread();
  std::uint32_t shared_ = 0;               // joins that are entered and not in the list any more
  bool has_contexts_ = false;              // the region keeps some for this fork
  std::uint32_t failed_depth_ = kNoDepth;  // under the region's lock: of the outermost join that has failed
  sync::atomic<bool> told_{false};         // what is thrown here may be no more than the echo of a failure
  sync::atomic<std::uint32_t> failed_{0};  // pieces of this fork that have failed and are not joined yet
};

namespace detail {

struct ForkAccess {
  using Level = Fork::Level;
  static void CheckThread(const Fork& fork, const char* verb) { fork.CheckThread(verb); }
  static std::uint32_t Depth(const Fork& fork) noexcept { return fork.Depth(); }
  static void FailJoin(Fork& fork, std::uint32_t depth) noexcept { fork.FailJoin(depth); }
  static bool WasTold(const Fork& fork) noexcept { return fork.told_.load(sync::memory_order_relaxed); }
  static void CheckUse(Fork& fork) { fork.CheckUse(); }
  static ForkRegion& RegionOf(const Fork& fork) noexcept { return fork.region_; }
  // Has every fork of the region look why.
  static void AskAll(Fork& fork) noexcept {
    fork.Ask();
    AskSharers(fork.Runtime());
  }
  static void NoteFailure(Fork& fork) noexcept {
    fork.failed_.fetch_add(1, sync::memory_order_release);
    fork.Ask();
  }
  static void Push(Fork& fork, ForkJob& job) noexcept { fork.Push(job); }
  static void Unlink(Fork& fork, ForkJob& job) noexcept { fork.Unlink(job); }
  // Takes the job of a join, which goes on, out of the list; its depth. All older ones were taken out before.
  static std::uint32_t MoveOut(Fork& fork, ForkJob& job) noexcept {
    const std::uint32_t depth = fork.shared_ + fork.CountTo(job);
    fork.Unlink(job);
    ++fork.shared_;
    return depth;
  }
  static bool IsAsked(const Fork& fork) noexcept { return fork.IsAsked(); }
  static void Answer(Fork& fork) { fork.Answer(); }
  static bool TakeBack(Fork& fork, ForkPiece& piece) noexcept { return fork.TakeBack(piece); }
  static void Await(Fork& fork, ForkPiece& piece) { fork.Await(piece); }
  static Error Stop(Fork& fork, ForkPiece& piece) noexcept { return fork.Stop(piece); }
  [[noreturn]] static void GoOnThrowing(Fork& fork, const Error& of_sibling, std::uint32_t depth) {
    fork.GoOnThrowing(of_sibling, depth);
  }
  template <class... Fs>
  static auto JoinAll(Fork& fork, Fs&... fns) {
    return fork.JoinAll(fns...);
  }
};

template <class F>
ForkPiece* CallJob<F>::PartOut(ForkJob& job, Fork& fork) noexcept {
  auto& self = static_cast<CallJob&>(job);
  auto* piece = NewPiece<Piece>(self, fork);
  if (piece == nullptr) return nullptr;
  self.piece = piece;
  piece->depth = ForkAccess::MoveOut(fork, job);
  return piece;
}

// Calls `body(data, fork)` as a task below `where` and waits until it has left.
ORCHESTRATE_API Error RunRegion(const char* verb, const Where& where, void (*body)(void*, Fork&), void* data);

// The same for any callable; its value.
template <class F>
auto RunRegionOf(const char* verb, const Where& where, F&& fn) {
  using T = std::remove_cv_t<std::invoke_result_t<F&, Fork&>>;
  struct Call {
    F& fn;
    std::optional<T> value{};
  } call{fn};
  const auto body = [](void* data, Fork& fork) {
    auto& self = *static_cast<Call*>(data);
    self.value.emplace(self.fn(fork));
  };
  Error error = RunRegion(verb, where, body, &call);
  return error ? Result<T>(std::move(error)) : Result<T>(std::in_place, *std::move(call.value));
}

// ForkJoin() in the name of `verb`.
template <class... Fs>
auto ForkJoinAs(const char* verb, const Where& where, Fs&... fns) {
  using Values = std::tuple<TuplePart<ForkYieldOf<Fs>>...>;
  const auto run = [&fns...](Fork& fork) { return ForkAccess::JoinAll(fork, fns...); };
  const bool any_empty = (IsEmptyCallable(fns) || ...);
  Result<Values> values = any_empty ? Result<Values>(EmptyFunction(verb)) : RunRegionOf(verb, where, run);
  if constexpr (kAllVoid<ForkYieldOf<Fs>...>) {
    return values ? Result<void>() : Result<void>(std::move(values).Failure());
  } else if constexpr (sizeof...(Fs) == 1) {
    using T = std::tuple_element_t<0, Values>;
    return values ? Result<T>(std::in_place, std::get<0>(*std::move(values)))
                  : Result<T>(std::move(values).Failure());
  } else {
    return values;
  }
}

}  // namespace detail

/// Calls all of `fns`, perhaps at the same time, and returns when all have left.
///
/// A region of fork/join work: whatever the functions fork has left, too. They may refer to the caller's
/// variables. In a task the calling worker takes part; so does a thread from outside, when the runtime has a
/// permit to spare.
///
/// @param fns  each callable as fn() or fn(Fork&), returning `T`, `void`, `Error` or `Result<T>`.
/// @return the value of a single function, a `std::tuple` of the values of several (`std::monostate` for
///         nothing), or nothing when none yields any; or the error: that of the context, else that of the
///         first failing function in the order of `fns`.
/// @par Errors        `InvalidArgument` for an empty function, `ShutDown` when the executor takes no more
/// work.
///                    Throws `std::bad_alloc`; then nothing was called.
/// @par Blocks        Until all have left.
/// @par Cancellation  When the context ends, forks throw: nothing is begun any more.
/// @par Complexity    A task and a link to its context for the region; a few instructions a fork
/// (docs/adr/0004).
template <class... Fs>
  requires(sizeof...(Fs) > 0 && (!std::is_convertible_v<Fs, Where> && ...))
auto ForkJoin(const Where& where, Fs&&... fns) {
  static_assert(((detail::kTakesFork<std::remove_reference_t<Fs>> ||
                  std::is_invocable_v<std::remove_reference_t<Fs>&>)&&...),
                "ForkJoin: each function must be callable as fn() or fn(Fork&)");
  return detail::ForkJoinAs("ForkJoin", where, fns...);
}

/// Calls `fn` on the default runtime.
template <class F>
  requires(!std::is_convertible_v<F, Where>)
auto ForkJoin(F&& fn, std::source_location location = detail::Here()) {
  return ForkJoin(Where(location), std::forward<F>(fn));
}

}  // namespace orchestrate::inline v1
