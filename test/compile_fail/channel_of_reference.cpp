// EXPECT: Channel<T>: T must be an object type, and neither a reference nor an array nor const
#include <orchestrate/sync/channel.hpp>

orchestrate::Channel<int&> refused(1);
