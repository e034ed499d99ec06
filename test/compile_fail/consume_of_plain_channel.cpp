// EXPECT: Consume: the source is a Channel<Task<T>>, a range of Task<T> or a function to optional<Task<T>>
#include <orchestrate/flow/consume.hpp>

auto Refused(const orchestrate::Channel<int>& numbers) { return orchestrate::Consume(2, numbers); }
