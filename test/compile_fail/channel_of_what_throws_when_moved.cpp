// EXPECT: Channel<T>: T must move without throwing, or an item could be lost half-way
#include <orchestrate/sync/channel.hpp>

struct Throwing {
  Throwing() = default;
  Throwing(Throwing&&) noexcept(false);
};
orchestrate::Channel<Throwing> refused(1);
