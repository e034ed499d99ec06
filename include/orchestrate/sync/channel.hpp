#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <orchestrate/base/result.hpp>
#include <orchestrate/sync/detail/channel_cell.hpp>
#include <orchestrate/sync/detail/channel_core.hpp>
#include <orchestrate/task/context.hpp>

namespace orchestrate::inline v1 {

template <class T>
class ChannelItems;

namespace detail {

struct ChannelAccess;

// Makes the core of a channel with `capacity` places; throws `InvalidArgument` for 0, and std::bad_alloc.
[[nodiscard]] ORCHESTRATE_API ChannelCore& MakeChannel(const ItemOps& ops, std::size_t capacity);
// The error for an argument that was given as a negative number.
[[noreturn]] ORCHESTRATE_API void ThrowNegativeCapacity(long long capacity);

template <std::integral I>
[[nodiscard]] std::size_t CheckedCapacity(I capacity) {
  if constexpr (std::is_signed_v<I>) {
    if (capacity < 0) ThrowNegativeCapacity(capacity);
  }
  return static_cast<std::size_t>(capacity);
}

// Raw memory for what the ring holds of one item.
template <class T>
union ItemPlace {
  ItemPlace() noexcept {}
  ~ItemPlace() {}  // NOLINT: whoever put the item in takes it out
  [[nodiscard]] void* Memory() noexcept { return std::addressof(cell); }
  CellOf<T> cell;
};

}  // namespace detail

/// Hands items from those that send to those that receive, in order, each to one receiver.
///
/// A channel is a handle; copies share. Nobody owns an end: whoever knows that nothing more will come calls
/// `Close()`, and receivers then get what is inside before they get `Closed`. Items of one sender arrive in
/// the order of their sends; those that wait are served in the order in which they came. An item that was
/// taken is always returned, also to a receiver whose context ended at that moment, and an item that was not
/// sent stays with its sender. A call that begins after a waiter's context has ended, or after its deadline
/// has passed, gives nothing to that waiter and takes nothing from it.
///
/// `T` may be move-only; it must move without throwing. Its moves and its destructor run without a lock and
/// may use the channel.
///
/// @par Thread safety  All members may be called from any thread, on one handle, too.
/// @par Complexity     O(1) an item. The memory for items grows by doubling as they come, up to the capacity;
///                     that of a large channel is freed when it is empty. An item whose move may run user
///                     code (neither trivially copyable nor a `Task`, a smart pointer, a string or a vector)
///                     costs a block of the pool besides.
template <class T>
class Channel {
  static_assert(std::is_object_v<T> && !std::is_array_v<T> && !std::is_const_v<T>,
                "Channel<T>: T must be an object type, and neither a reference nor an array nor const");
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>,
                "Channel<T>: T must move without throwing, or an item could be lost half-way; send a "
                "std::unique_ptr<T>");

 public:
  using ValueType = T;

  /// Makes a channel that holds up to `capacity` items, at least 1.
  ///
  /// @par Errors  Throws `ErrorException` with `InvalidArgument` for less than 1, and `std::bad_alloc`.
  template <std::integral I>
  explicit Channel(I capacity)
      : Channel(detail::MakeChannel(detail::kItemOps<Cell>, detail::CheckedCapacity(capacity))) {}

  /// Makes a channel that never makes a sender wait; it grows as long as there is memory.
  [[nodiscard]] static Channel Unbounded() {
    return Channel(detail::MakeChannel(detail::kItemOps<Cell>, detail::ChannelCore::kUnbounded));
  }

  Channel(const Channel& other) noexcept : core_(other.core_) { core_->Ref(); }
  Channel& operator=(const Channel& other) noexcept {
    other.core_->Ref();
    std::exchange(core_, other.core_)->Unref();
    return *this;
  }
  ~Channel() { core_->Unref(); }

  /// Sends `value`, waiting while the channel is full.
  ///
  /// @param value  moved from when it was sent; otherwise it has its value, perhaps again.
  /// @return no error when it was sent; `Closed`; the context's error; `OutOfResources` for want of
  ///         memory or of a spare worker.
  /// @par Blocks        While the channel is full; inside a task it gives its worker away.
  /// @par Cancellation  Ends the wait; a context that had ended before sends nothing.
  [[nodiscard]] Error Send(const Context& context, T&& value) const noexcept {
    return SendUnder(&detail::ContextAccess::Node(context), value);
  }
  /// Sends a copy of `value`, waiting while the channel is full.
  [[nodiscard]] Error Send(const Context& context, const T& value) const {
    return Send(context, Copy(value));
  }
  /// Sends `value` under the context of the task that this runs in, elsewhere under none.
  [[nodiscard]] Error Send(T&& value) const noexcept { return SendUnder(nullptr, value); }
  /// Sends a copy of `value` under the context of the task that this runs in, elsewhere under none.
  [[nodiscard]] Error Send(const T& value) const { return Send(Copy(value)); }

  /// Sends `value` if there is room.
  ///
  /// @param value  moved from when it was sent; otherwise it has its value, perhaps again.
  /// @return no error when it was sent, `QueueFull`, `Closed`, or `OutOfResources` when there is no memory.
  [[nodiscard]] Error TrySend(T&& value) const noexcept {
    return SendCell(
        value, [this] { return core_->WhyNotTrySend(); },
        [this](void* cell) { return core_->TrySend(cell); });
  }
  /// Sends a copy of `value` if there is room.
  [[nodiscard]] Error TrySend(const T& value) const { return TrySend(Copy(value)); }

  /// Receives the oldest item, waiting while there is none.
  ///
  /// @return the item; `Closed` when the channel is closed and empty; the context's error;
  ///         `OutOfResources` for want of a spare worker.
  /// @par Blocks        While the channel is open and empty; inside a task it gives its worker away.
  /// @par Cancellation  Ends the wait and loses nothing; a context that had ended before takes nothing.
  Result<T> Recv(const Context& context) const noexcept {
    return RecvUnder(&detail::ContextAccess::Node(context));
  }
  /// Receives the oldest item under the context of the task that this runs in, elsewhere under none.
  Result<T> Recv() const noexcept { return RecvUnder(nullptr); }

  /// Receives the oldest item if there is one.
  ///
  /// @return nothing when the channel is empty; if `IsClosed()` was true before the call, nothing will come.
  [[nodiscard]] std::optional<T> TryRecv() const noexcept {
    detail::ItemPlace<T> place;
    if (!core_->TryRecv(place.Memory())) return std::nullopt;
    return Extract<std::optional<T>>(place);
  }

  /// Returns what a range-based for loop receives, one item a round, until the channel is closed and empty.
  ///
  /// The loop also ends when `context` has ended or no spare worker is left; `ChannelItems::Failure` tells.
  [[nodiscard]] ChannelItems<T> Items(const Context& context) const {
    return ChannelItems<T>(*this, context);
  }
  /// Returns what a range-based for loop receives, under the context of the task that this runs in.
  [[nodiscard]] ChannelItems<T> Items() const { return ChannelItems<T>(*this, std::nullopt); }

  /// Closes the channel: no more is sent, all who wait wake, what is inside can still be received.
  ///
  /// @return true for the one call that closed it.
  bool Close() const noexcept { return core_->Close(); }

  /// Takes what is inside, up to as many items as there were at the call, without waiting.
  ///
  /// @par Errors  Throws `std::bad_alloc`; then nothing was taken.
  [[nodiscard]] std::vector<T> Drain() const {
    std::vector<T> items;
    items.reserve(Size());
    while (items.size() < items.capacity()) {
      std::optional<T> item = TryRecv();
      if (!item) break;
      items.push_back(*std::move(item));
    }
    return items;
  }

  /// Says whether the channel was closed; there may be items inside.
  [[nodiscard]] bool IsClosed() const noexcept { return core_->IsClosed(); }
  /// Returns how many items are inside.
  [[nodiscard]] std::size_t Size() const noexcept { return core_->Size(); }
  /// Returns how many items fit inside, the largest number when it is unbounded.
  [[nodiscard]] std::size_t Capacity() const noexcept { return core_->Capacity(); }

  /// Tells whether two handles share one channel.
  [[nodiscard]] friend bool operator==(const Channel& a, const Channel& b) noexcept {
    return a.core_ == b.core_;
  }

 private:
  friend struct detail::ChannelAccess;
  friend class ChannelItems<T>;
  using Cell = detail::CellOf<T>;

  explicit Channel(detail::ChannelCore& core) noexcept : core_(&core) {}  // takes over a reference

  static T Copy(const T& value) {
    static_assert(std::is_copy_constructible_v<T>,
                  "Channel: the item cannot be copied; send std::move(item)");
    return value;
  }
  // Sends what the ring is to hold of `value`. An item that needs a box is put into one unless `why_not`
  // knows an error, and taken out of it again when it was not sent.
  template <class WhyNot, class SendIt>
  static Error SendCell(T& value, WhyNot why_not, SendIt send) noexcept {
    if constexpr (detail::kMovesAlone<T>) {
      return send(std::addressof(value));
    } else {
      if (Error refused = why_not()) return refused;
      Cell box(value);
      if (box.IsEmpty()) return Errc::OutOfResources;
      Error error = send(std::addressof(box));
      if (error) box.GiveBack(value);
      return error;
    }
  }
  Error SendUnder(detail::ContextNode* node, T& value) const noexcept {
    return SendCell(
        value, [&] { return core_->WhyNotSend(node); }, [&](void* cell) { return core_->Send(node, cell); });
  }
  template <class R>
  static R Extract(detail::ItemPlace<T>& place) noexcept {
    struct Emptied {
      Cell& cell;
      ~Emptied() { std::destroy_at(std::addressof(cell)); }
    } const emptied{place.cell};
    if constexpr (detail::kMovesAlone<T>) {
      return R(std::in_place, std::move(place.cell));
    } else {
      return R(std::in_place, std::move(place.cell.Value()));
    }
  }
  Result<T> RecvUnder(detail::ContextNode* node) const noexcept {
    detail::ItemPlace<T> place;
    if (Error error = core_->Recv(node, place.Memory())) return error;
    return Extract<Result<T>>(place);
  }

  detail::ChannelCore* core_;
};

/// Receives from a channel in a range-based for loop; made by `Channel::Items`.
///
/// @par Thread safety  None: one loop belongs to one thread.
template <class T>
class ChannelItems {
 public:
  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    [[nodiscard]] T& operator*() const noexcept { return *items_->current_; }
    Iterator& operator++() {
      items_->Next();
      return *this;
    }
    void operator++(int) { items_->Next(); }
    [[nodiscard]] bool operator==(std::default_sentinel_t /*end*/) const noexcept {
      return !items_->current_;
    }

   private:
    friend class ChannelItems;
    explicit Iterator(ChannelItems& items) noexcept : items_(&items) {}
    ChannelItems* items_;
  };

  [[nodiscard]] Iterator begin() {
    Next();
    return Iterator(*this);
  }
  [[nodiscard]] static std::default_sentinel_t end() noexcept { return {}; }

  /// Returns why the loop ended early; empty when it got the last item of a closed channel, or has not ended.
  [[nodiscard]] const Error& Failure() const noexcept { return failure_; }

 private:
  friend class Channel<T>;
  ChannelItems(const Channel<T>& channel, std::optional<Context> context)
      : channel_(channel), context_(std::move(context)) {}

  void Next() {
    current_.reset();
    Result<T> item = context_ ? channel_.Recv(*context_) : channel_.Recv();
    if (item) {
      current_.emplace(*std::move(item));
    } else if (!item.Failure().Is(Errc::Closed)) {
      failure_ = item.Failure();
    }
  }

  Channel<T> channel_;
  std::optional<Context> context_;
  std::optional<T> current_;
  Error failure_;
};

namespace detail {

struct ChannelAccess {
  template <class T>
  static ChannelCore& Core(const Channel<T>& channel) noexcept {
    return *channel.core_;
  }
};

}  // namespace detail
}  // namespace orchestrate::inline v1
