// EXPECT: Channel: the item cannot be copied; send std::move(item)
#include <orchestrate/sync/channel.hpp>

orchestrate::Error Refused(const orchestrate::Channel<std::unique_ptr<int>>& channel,
                           std::unique_ptr<int> item) {
  return channel.Send(orchestrate::Context::Background(), item);
}
