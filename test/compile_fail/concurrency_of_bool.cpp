// EXPECT: deleted
#include <orchestrate/flow/concurrency.hpp>

orchestrate::Concurrency refused = true;
