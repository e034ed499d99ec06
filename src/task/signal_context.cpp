#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>
#include <string>
#include <system_error>
#include <type_traits>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/base/sync.hpp>
#include <orchestrate/task/context.hpp>
#include "exec/own_thread.hpp"
#include "task/context_end.hpp"
#include "task/scopes.hpp"

namespace orchestrate::inline v1 {
namespace detail {
namespace {

constexpr int kSignals = 65;
constinit sync::atomic<std::uint32_t> arrived{0U - 1};  // counts handler calls; what the watcher sleeps on
std::array<std::atomic<std::uint32_t>, kSignals> pending{};

// A signal handler may do no more than this.
extern "C" void OnSignal(int number) {
  pending[static_cast<std::size_t>(number)].fetch_add(1, std::memory_order_seq_cst);
  arrived.fetch_add(1, sync::memory_order_seq_cst);
  sync::FutexWake(arrived, 1);
}

struct SignalScope final : ChildScope {
  SignalScope(ContextNode& parent_node, std::initializer_list<int> wanted) noexcept;
  ~SignalScope() override;
  std::uint64_t mask = 0;
  SignalScope* next = nullptr;
};

constexpr std::uint64_t Bit(int number) noexcept { return std::uint64_t{1} << (number - 1); }

// Which scopes wait for which signals, and the handlers that were there before.
class SignalTable {
 public:
  static SignalTable& Get() noexcept;

  static void WatchForks() {
    static constinit std::once_flag once;  // what a fork has met half done, the child does anew
    std::call_once(once, [] {
      pthread_atfork([] { Get().LockForFork(); }, [] { Get().UnlockAfterFork(); },
                     [] {
                       Get().ForgetInChild();
                       Get().UnlockAfterFork();
                     });
    });
  }

  void Add(SignalScope& scope) {
    const std::lock_guard lock(mutex_);
    if (!watching_) StartWatching();
    for (int number = 1; number < kSignals; ++number) {
      if ((scope.mask & Bit(number)) != 0) Install(number);
    }
    scope.next = scopes_;
    scopes_ = &scope;
  }

  void Remove(SignalScope& scope) noexcept {
    const std::lock_guard lock(mutex_);
    for (SignalScope** at = &scopes_; *at != nullptr; at = &(*at)->next) {
      if (*at != &scope) continue;
      *at = scope.next;
      break;
    }
    RestoreUnused();
  }

 private:
  void StartWatching() {
    try {
      StartOwnThread([this] { Watch(); }).detach();
    } catch (const std::system_error& error) {
      Error(Errc::OutOfResources, "Context::WithSignal: no thread for the signals")
          .WithCause(error.code())
          .Rethrow();
    }
    watching_ = true;
  }

  // What comes to the child before it has its old handlers back waits.
  void LockForFork() noexcept {
    mutex_.Lock();
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask_at_fork_);
  }

  void UnlockAfterFork() noexcept {
    const sigset_t mask = mask_at_fork_;
    mutex_.Unlock();
    pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  }

  // In the child of a fork there is nobody who watches: signals have their old effect, or nothing would end
  // it.
  void ForgetInChild() noexcept {
    for (SignalScope* scope = scopes_; scope != nullptr; scope = scope->next) scope->mask = 0;
    scopes_ = nullptr;
    RestoreUnused();
    for (auto& count : pending) count.store(0, std::memory_order_relaxed);
    watching_ = false;
  }

  void Install(int number) {
    if ((installed_ & Bit(number)) != 0) return;
    struct sigaction action {};
    action.sa_handler = OnSignal;
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, &before_[static_cast<std::size_t>(number)]);
    installed_ |= Bit(number);
  }

  void RestoreUnused() noexcept {
    std::uint64_t used = 0;
    for (const SignalScope* scope = scopes_; scope != nullptr; scope = scope->next) used |= scope->mask;
    for (int number = 1; number < kSignals; ++number) {
      if ((installed_ & ~used & Bit(number)) == 0) continue;
      sigaction(number, &before_[static_cast<std::size_t>(number)], nullptr);
      installed_ &= ~Bit(number);
    }
  }

  void Watch() noexcept {
    for (;;) {
      const auto seen = arrived.load(sync::memory_order_seq_cst);
      for (int number = 1; number < kSignals; ++number) {
        auto count = pending[static_cast<std::size_t>(number)].exchange(0, std::memory_order_seq_cst);
        for (; count != 0; --count) {
          if (!Deliver(number)) kill(getpid(), number);  // nobody waits for it: the old effect
        }
      }
      sync::FutexWait(arrived, seen);
    }
  }

  // Ends every scope that waits for the signal, which then has its old effect again; false when there is
  // none.
  bool Deliver(int number) noexcept {
    for (bool any = false;; any = true) {
      SignalScope* found = nullptr;
      {
        const std::lock_guard lock(mutex_);
        for (SignalScope* scope = scopes_; scope != nullptr && found == nullptr; scope = scope->next) {
          if ((scope->mask & Bit(number)) != 0 && TryRefNode(*scope)) {
            scope->mask = 0;
            found = scope;
          }
        }
        if (found == nullptr) return RestoreUnused(), any;
      }
      EndScope(*found, MakeError([number]() -> Error {
        return {Errc::Cancelled, "signal " + std::to_string(number) + " (" + strsignal(number) + ")"};
      }));
      UnrefNode(*found);
    }
  }

  Mutex mutex_;
  SignalScope* scopes_ = nullptr;
  std::uint64_t installed_ = 0;
  std::array<struct sigaction, kSignals> before_{};
  bool watching_ = false;
  sigset_t mask_at_fork_{};
};

// Never destroyed: a handler may run after main.
constinit SignalTable the_signals;
static_assert(std::is_trivially_destructible_v<SignalTable>);

SignalTable& SignalTable::Get() noexcept { return the_signals; }

SignalScope::SignalScope(ContextNode& parent_node, std::initializer_list<int> wanted) noexcept
    : ChildScope(parent_node, 0) {
  for (const int number : wanted) mask |= Bit(number);
}

SignalScope::~SignalScope() { SignalTable::Get().Remove(*this); }

}  // namespace
}  // namespace detail

Context Context::WithSignal(std::initializer_list<int> signals) const {
  if (signals.size() == 0) Error(Errc::InvalidArgument, "Context::WithSignal: no signal was named").Rethrow();
  for (const int number : signals) {
    if (number < 1 || number >= detail::kSignals || number == SIGKILL || number == SIGSTOP) {
      Error(Errc::InvalidArgument, "Context::WithSignal: signal " + std::to_string(number) +
                                       " cannot be caught, must be 1 to 64 and neither SIGKILL nor SIGSTOP")
          .Rethrow();
    }
  }
  detail::SignalTable::WatchForks();
  auto& scope = *new detail::SignalScope(Node(), signals);
  Context context = detail::ContextAccess::Take(scope);
  detail::SignalTable::Get().Add(scope);
  return context;
}

}  // namespace orchestrate::inline v1
