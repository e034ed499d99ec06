#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

#include <orchestrate/task/fork_join.hpp>
#include <orchestrate/time/ticks.hpp>

namespace orchestrate::inline v1 {

namespace detail {

// The items of a loop: integers from `first` on, or what lies behind an iterator.
template <class I>
inline constexpr bool kIsIndex = std::integral<std::remove_cvref_t<I>>;

// Unsigned, so that no distance and no item of any range overflows.
template <class I>
using WideOf = std::conditional_t<(sizeof(I) > sizeof(std::size_t)), std::make_unsigned<I>,
                                  std::type_identity<std::size_t>>::type;

template <class I>
[[nodiscard]] decltype(auto) ItemAt(const I& first, std::size_t at) {
  if constexpr (kIsIndex<I>) {
    return static_cast<I>(static_cast<WideOf<I>>(first) + at);
  } else {
    static_assert(std::random_access_iterator<I>,
                  "a parallel loop needs integers or random-access iterators");
    return first[static_cast<std::iter_difference_t<I>>(at)];
  }
}
template <class I>
using ItemOf = decltype(ItemAt(std::declval<const I&>(), 0));

// How many iterations pass between two looks at the flag: as many as take about a microsecond, once the loop
// has proved to be long enough for the clock to be worth a look.
class LoopBlock {
 public:
  [[nodiscard]] std::size_t Size() const noexcept { return size_; }
  void Adapt() noexcept {
    if (looks_ < kUntimed) {
      if (++looks_ == kUntimed) begin_ = ReadTicks();
      return;
    }
    const auto now = ReadTicks();
    const auto took = ElapsedTicks(begin_, now);
    begin_ = now;
    if (took < kShort && size_ < kMost) size_ *= 2;
    if (took > kLong && size_ > 1) size_ /= 2;
  }

 private:
  static constexpr unsigned kUntimed = 32;
  static constexpr std::uint64_t kShort = 2'000;  // ticks: about a microsecond
  static constexpr std::uint64_t kLong = 8'000;
  static constexpr std::size_t kMost = std::size_t{1} << 16;
  std::size_t size_ = 1;
  unsigned looks_ = 0;
  std::uint64_t begin_ = 0;
};

// The iterations [next, end) of a loop: one fork does them from the front while parts of the upper half are
// taken out for others.
//
// `Body` has: Acc Start(); void Step(Fork&, Acc&, item); void Add(Acc& left, Acc&& right).
template <class I, class Body>
class Loop : ForkJob {
 public:
  using Acc = typename Body::Acc;

  Loop(Body& body, const I& first, std::size_t begin, std::size_t end) noexcept
      : ForkJob{PartOut, nullptr, nullptr}, body_(body), first_(first), next_(begin), end_(end) {}

  Acc Run(Fork& fork) {
    const ForkAccess::Level level(fork);
    Acc acc = body_.Start();
    ForkAccess::Push(fork, *this);
    depth_ = ForkAccess::Depth(fork);
    try {
      RunHere(fork, acc);
      AddPieces(fork, acc);
    } catch (...) {
      ForkAccess::Unlink(fork, *this);
      ForkAccess::FailJoin(fork, depth_);
      ForkAccess::GoOnThrowing(fork, StopPieces(fork), depth_);
    }
    ForkAccess::Unlink(fork, *this);
    return acc;
  }

 private:
  struct Piece final : ForkPiece {
    Piece(Loop& loop, std::size_t begin_at, Fork& fork)
        : ForkPiece(fork, RunPart, FreePiece<Piece>),
          body(loop.body_),
          first(loop.first_),
          begin(begin_at),
          end_at(loop.end_),
          next_piece(loop.pieces_) {}
    static void RunPart(ForkPiece& piece, Fork& fork) {
      auto& self = static_cast<Piece&>(piece);
      self.acc.emplace(Loop(self.body, self.first, self.begin, self.end_at).Run(fork));
    }
    Body& body;
    I first;
    std::size_t begin;
    std::size_t end_at;
    std::optional<Acc> acc;  // once it has ended with a value; goes with the join, as the piece may stay
    Piece* next_piece;
  };

  static ForkPiece* PartOut(ForkJob& job, Fork& fork) noexcept {
    auto& self = static_cast<Loop&>(job);
    const std::size_t left = self.end_ - self.next_;
    if (left == 0) return nullptr;
    const std::size_t middle = self.next_ + left / 2;
    auto* piece = NewPiece<Piece>(self, middle, fork);
    if (piece == nullptr) return nullptr;
    piece->depth = self.depth_;
    self.end_ = middle;
    self.pieces_ = piece;
    return piece;
  }

  void RunHere(Fork& fork, Acc& acc) {
    LoopBlock block;
    while (next_ < end_) {
      const std::size_t begin = next_;
      const std::size_t left = end_ - begin;
      const std::size_t end = begin + (block.Size() < left ? block.Size() : left);
      next_ = end;                // what is taken out meanwhile lies behind that
      Acc here = std::move(acc);  // of which nobody has the address, so that it can be kept in registers
      for (std::size_t at = begin; at != end; ++at) body_.Step(fork, here, ItemAt(first_, at));
      acc = std::move(here);
      if (ForkAccess::IsAsked(fork)) [[unlikely]]
        ForkAccess::Answer(fork);
      block.Adapt();
    }
  }

  // The error of the one that failed first, by itself.
  Error StopPieces(Fork& fork) noexcept {
    Error first;
    std::uint32_t first_at = 0;
    while (Piece* piece = TakePiece()) {
      const PieceHold hold(*piece);
      Error error = ForkAccess::Stop(fork, *piece);
      const auto at = piece->failed_at.load(sync::memory_order_relaxed);
      if (error && (!first || at < first_at)) {
        first = std::move(error);
        first_at = at;
      }
      piece->acc.reset();
    }
    return first;
  }

  // The part that was taken out last lies next to what was done here.
  void AddPieces(Fork& fork, Acc& acc) {
    while (Piece* piece = TakePiece()) {
      const PieceHold hold(*piece);
      if (ForkAccess::TakeBack(fork, *piece)) {
        Piece::RunPart(*piece, fork);
      } else {
        ForkAccess::Await(fork, *piece);
      }
      body_.Add(acc, *std::exchange(piece->acc, std::nullopt));
    }
  }

  Piece* TakePiece() noexcept {
    Piece* piece = pieces_;
    if (piece != nullptr) pieces_ = piece->next_piece;
    return piece;
  }

  Body& body_;
  const I& first_;
  std::size_t next_;
  std::size_t end_;
  std::uint32_t depth_ = 0;
  Piece* pieces_ = nullptr;  // that were taken out, the last first
};

template <class F>
struct ForBody {
  struct Acc {};
  F& fn;
  Acc Start() const noexcept { return {}; }
  template <class Item>
  void Step(Fork& fork, Acc& /*acc*/, Item&& item) {
    static_cast<void>(CallIn(fn, fork, std::forward<Item>(item)));
  }
  void Add(Acc& /*left*/, Acc&& /*right*/) const noexcept {}
};

template <class T, class Map, class Combine>
struct ReduceBody {
  using Acc = T;
  const T& identity;
  Map& map;
  Combine& combine;
  Acc Start() const { return identity; }
  template <class Item>
  void Step(Fork& fork, Acc& acc, Item&& item) {
    acc = combine(std::move(acc), CallIn(map, fork, std::forward<Item>(item)));
  }
  void Add(Acc& left, Acc&& right) { left = combine(std::move(left), std::move(right)); }
};

[[nodiscard]] ORCHESTRATE_API Error BackwardRange(const char* verb, std::uint64_t items) noexcept;
[[nodiscard]] ORCHESTRATE_API Error HugeRange(const char* verb) noexcept;

// How many items lie between the two, or an error when the end lies before the beginning.
template <class I>
[[nodiscard]] Result<std::size_t> CountOf(const char* verb, const I& first, const I& last) {
  if constexpr (kIsIndex<I>) {
    using Wide = WideOf<I>;
    if (last < first) {
      return BackwardRange(verb,
                           static_cast<std::uint64_t>(static_cast<Wide>(first) - static_cast<Wide>(last)));
    }
    const Wide count = static_cast<Wide>(last) - static_cast<Wide>(first);
    if (count > std::numeric_limits<std::size_t>::max()) return HugeRange(verb);
    return static_cast<std::size_t>(count);
  } else {
    if (last - first < 0) return BackwardRange(verb, static_cast<std::uint64_t>(first - last));
    return static_cast<std::size_t>(last - first);
  }
}

template <class I, class F>
inline constexpr bool kIsLoopWork = kTakesFork<F, ItemOf<I>> || std::is_invocable_v<F&, ItemOf<I>>;

template <class R>
concept LoopRange = requires(R& range) {
  std::begin(range);
  std::size(range);
};

}  // namespace detail

/// Calls `fn` for each item between `first` and `last`, perhaps several at the same time.
///
/// How much one worker takes is found out while the loop runs: no grain is chosen. In a region that is there.
///
/// @param first, last  integers, or random-access iterators; the item is the integer, or what the iterator
///                     refers to.
/// @param fn           callable as fn(item) or fn(Fork&, item), at the same time from several threads; what
/// it
///                     returns is ignored unless it is an error.
/// @par Errors         Throws what the first call that was seen to fail threw or returned; then others may
/// never
///                     be made, and what those that run throw once they were told does not count.
///                     `InvalidArgument` when `last` lies before `first`, and on a thread that `fork` does
///                     not belong to.
/// @par Blocks         Until all calls have left.
/// @par Cancellation   As `Fork::Join`.
/// @par Complexity     O(n) calls, and a look at a flag about every microsecond.
template <class I, class F>
void ParallelFor(Fork& fork, std::type_identity_t<I> first, I last, F&& fn) {
  using Fn = std::remove_reference_t<F>;
  static_assert(detail::kIsLoopWork<I, Fn>,
                "ParallelFor: the work must be callable as fn(item) or fn(Fork&, item)");
  detail::ForkAccess::CheckThread(fork, "ParallelFor");
  if (detail::IsEmptyCallable(fn)) detail::EmptyFunction("ParallelFor").Rethrow();
  const Result<std::size_t> count = detail::CountOf("ParallelFor", first, last);
  if (!count) count.Failure().Rethrow();
  detail::ForBody<Fn> body{fn};
  detail::Loop<I, detail::ForBody<Fn>>(body, first, 0, *count).Run(fork);
}

/// Calls `fn` for each item of `range`.
template <detail::LoopRange R, class F>
void ParallelFor(Fork& fork, R&& range, F&& fn) {
  ParallelFor<decltype(std::begin(range))>(fork, std::begin(range), std::end(range), fn);
}

/// Calls `fn` for each item as a region of its own.
///
/// @return the error: that of the context, else that of a call that failed.
template <class I, class F>
Error ParallelFor(const Where& where, std::type_identity_t<I> first, I last, F&& fn) {
  const auto run = [&](Fork& fork) { ParallelFor<I>(fork, first, last, fn); };
  return detail::IsEmptyCallable(fn) ? detail::EmptyFunction("ParallelFor")
                                     : detail::ForkJoinAs("ParallelFor", where, run).Failure();
}

/// Calls `fn` for each item of `range` as a region of its own.
template <detail::LoopRange R, class F>
Error ParallelFor(const Where& where, R&& range, F&& fn) {
  return ParallelFor<decltype(std::begin(range))>(where, std::begin(range), std::end(range), fn);
}

/// Combines what `map` yields for each item between `first` and `last`, in their order.
///
/// @param identity  what combined with any value gives that value; copied for each part.
/// @param map       callable as map(item) or map(Fork&, item).
/// @param combine   an associative function of two values; it need not be commutative. Both are called at the
///                  same time from several threads.
/// @return the combined value; `identity` when there is no item.
/// @par Errors      As `ParallelFor`.
template <class I, class T, class Map, class Combine>
T ParallelReduce(Fork& fork, std::type_identity_t<I> first, I last, T identity, Map&& map,
                 Combine&& combine) {
  using MapFn = std::remove_reference_t<Map>;
  using CombineFn = std::remove_reference_t<Combine>;
  static_assert(detail::kIsLoopWork<I, MapFn>,
                "ParallelReduce: the map must be callable as map(item) or map(Fork&, item)");
  static_assert(std::is_invocable_r_v<T, CombineFn&, T, T>,
                "ParallelReduce: combine must be callable as combine(T, T) and return a T");
  using Body = detail::ReduceBody<T, MapFn, CombineFn>;
  detail::ForkAccess::CheckThread(fork, "ParallelReduce");
  if (detail::IsEmptyCallable(map) || detail::IsEmptyCallable(combine))
    detail::EmptyFunction("ParallelReduce").Rethrow();
  const Result<std::size_t> count = detail::CountOf("ParallelReduce", first, last);
  if (!count) count.Failure().Rethrow();
  Body body{identity, map, combine};
  return detail::Loop<I, Body>(body, first, 0, *count).Run(fork);
}

/// Combines what `map` yields for each item of `range`, in their order.
template <detail::LoopRange R, class T, class Map, class Combine>
T ParallelReduce(Fork& fork, R&& range, T identity, Map&& map, Combine&& combine) {
  return ParallelReduce<decltype(std::begin(range))>(fork, std::begin(range), std::end(range),
                                                     std::move(identity), map, combine);
}

/// Combines as a region of its own.
///
/// @return the combined value, or the error: that of the context, else that of a call that failed.
template <class I, class T, class Map, class Combine>
Result<T> ParallelReduce(const Where& where, std::type_identity_t<I> first, I last, T identity, Map&& map,
                         Combine&& combine) {
  if (detail::IsEmptyCallable(map) || detail::IsEmptyCallable(combine)) {
    return detail::EmptyFunction("ParallelReduce");
  }
  const auto run = [&](Fork& fork) {
    return ParallelReduce<I>(fork, first, last, std::move(identity), map, combine);
  };
  return detail::ForkJoinAs("ParallelReduce", where, run);
}

/// Combines over `range` as a region of its own.
template <detail::LoopRange R, class T, class Map, class Combine>
Result<T> ParallelReduce(const Where& where, R&& range, T identity, Map&& map, Combine&& combine) {
  return ParallelReduce<decltype(std::begin(range))>(where, std::begin(range), std::end(range),
                                                     std::move(identity), map, combine);
}

}  // namespace orchestrate::inline v1
