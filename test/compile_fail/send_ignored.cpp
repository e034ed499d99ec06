// Closed, or the context has ended: then the item stays with its sender.
// EXPECT: ignoring return value of
#include <orchestrate/sync/channel.hpp>

void Refused(const orchestrate::Channel<int>& channel) { channel.Send(1); }
