#include <orchestrate/time/timer_wheel.hpp>

namespace orchestrate::inline v1 {

static_assert(sizeof(TimerNode) <= 48);

TimerWheel::TimerWheel(std::uint64_t now) noexcept : now_(now), cursor_(now) {
  for (Slot& slot : slots_) slot.link = {&slot.link, &slot.link};
}

TimerWheel::Place TimerWheel::NextPlace() const noexcept {
  for (unsigned level = 0; level < kLevels; ++level) {
    if (used_[level] == 0) continue;
    const auto digit = static_cast<unsigned>(std::countr_zero(used_[level]));
    const unsigned shift = level * kDigitBits;
    const std::uint64_t above = (cursor_ >> shift) & ~std::uint64_t{kSlots - 1};
    return {level * kSlots + digit, (above | digit) << shift};
  }
  return {kNoSlot, kNever};
}

bool TimerWheel::Advance(std::uint64_t now, std::size_t budget, TimerList& due) noexcept {
  if (now > now_) now_ = now;
  while (true) {
    const bool busy = cascading_ != kNoSlot;
    const Place place = busy ? Place{cascading_, cursor_} : NextPlace();
    if (place.slot == kNoSlot || place.start > now_) {
      cursor_ = now_;
      return false;
    }
    if (budget == 0) return true;
    cursor_ = place.start;
    if (place.slot < kSlots) {
      Expire(place.slot, budget, due);
    } else {
      cascading_ = place.slot;
      Cascade(budget);
    }
  }
}

void TimerWheel::Expire(std::uint32_t index, std::size_t& budget, TimerList& due) noexcept {
  Slot& slot = slots_[index];
  detail::TimerLink* link = slot.link.next;
  for (; budget > 0 && link != &slot.link; --budget) {
    auto& node = static_cast<TimerNode&>(*link);
    link = link->next;
    __builtin_prefetch(link->next, 1);
    node.slot_ = TimerNode::kNoSlot;
    due.Push(node);
    --size_;
  }
  slot.link.next = link;
  link->prev = &slot.link;
  Vacate(index);
}

void TimerWheel::Cascade(std::size_t& budget) noexcept {
  const std::uint32_t index = cascading_;
  Slot& from = slots_[index];
  detail::TimerLink* link = from.link.prev;
  for (; budget > 0 && link != &from.link; --budget) {
    auto& node = static_cast<TimerNode&>(*link);
    link = link->prev;
    __builtin_prefetch(link->prev, 1);
    Slot& to = Claim(node);
    LinkBetween(node, &to.link, to.link.next);
  }
  from.link.prev = link;
  link->next = &from.link;
  Vacate(index);
  if (from.link.next == &from.link) cascading_ = kNoSlot;
}

std::uint64_t TimerWheel::NextExpiry() noexcept {
  constexpr int kMostSteps = 1024;
  if (cascading_ != kNoSlot) return cursor_;
  const Place place = NextPlace();
  if (place.slot < kSlots || place.slot == kNoSlot) return place.start;
  Slot& slot = slots_[place.slot];
  if (slot.earliest != kUnknown) return slot.earliest;
  std::uint64_t earliest = kNever;
  int steps = 0;
  for (detail::TimerLink* link = slot.link.next; link != &slot.link; link = link->next) {
    if (++steps > kMostSteps) {
      earliest = place.start;
      break;
    }
    const std::uint64_t deadline = static_cast<TimerNode&>(*link).deadline_;
    earliest = deadline < earliest ? deadline : earliest;
  }
  slot.earliest = earliest;
  return earliest;
}

}  // namespace orchestrate::inline v1
