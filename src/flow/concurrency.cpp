#include <orchestrate/flow/concurrency.hpp>

#include "exec/scheduling.hpp"

namespace orchestrate::inline v1::detail {

std::size_t ConcurrencyAccess::Resolve(Concurrency count, Concurrency zero,
                                       const Executor& executor) noexcept {
  const Concurrency wanted = count.count_ == 0 ? zero : count;
  if (wanted == Concurrency::Unlimited()) return kUnlimited;
  if (wanted == Concurrency::Workers()) return WidthOf(executor);
  return static_cast<std::size_t>(wanted.count_);
}

}  // namespace orchestrate::inline v1::detail
