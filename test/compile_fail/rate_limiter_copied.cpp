// EXPECT: deleted
#include <orchestrate/flow/rate_limiter.hpp>

orchestrate::RateLimiter Refused(orchestrate::RateLimiter& limiter) { return limiter; }
