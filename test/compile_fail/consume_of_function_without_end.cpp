// A function that yields tasks has to be able to say that there are no more.
// EXPECT: Consume: the source is a Channel<Task<T>>, a range of Task<T> or a function to optional<Task<T>>
#include <orchestrate/flow/consume.hpp>

auto Refused(const orchestrate::Context& context) {
  return orchestrate::Consume(context, 2, [] { return orchestrate::NewTask([] { return 1; }); });
}
