// EXPECT: Retry: the work must be callable as fn() or fn(Context&)
#include <orchestrate/flow/retry.hpp>

auto refused = orchestrate::Retry(orchestrate::RetryOptions(), [](int attempt) { return attempt; });
