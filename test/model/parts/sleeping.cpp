#include <orchestrate/base/mutex.hpp>
#include <orchestrate/base/parker.hpp>
#include <test/model/model.hpp>

// The two things that a thread sleeps on.
namespace orchestrate::test {
namespace {

using detail::Mutex;
using detail::MutexLock;
using detail::Parker;

struct Tray {
  Parker* parker = new Parker;
  sync::plain<int> first{0};
  sync::plain<int> second{0};
};

const Register kToken("parker", "WhoIsUnparkedSeesWhyAndMayDestroyTheParker", [](Program& program) {
  auto& tray = Make<Tray>();
  program.Thread([&tray] {
    tray.parker->Park();
    Check(tray.first == 1, "unparked for nothing");
    delete tray.parker;
  });
  program.Thread([&tray] {
    tray.first = 1;
    tray.parker->Unpark();
  });
});

const Register kTwo("parker", "TwoTokensAreOneButBothGiversAreSeen", [](Program& program) {
  auto& tray = Make<Tray>();
  auto& given = Make<sync::atomic<std::uint32_t>>(0U);
  program.Thread([&] {
    while (given.load(memory_order_relaxed) != 2) tray.parker->Park();
    tray.parker->Unpark();
    tray.parker->Park();
  });
  const auto give = [&] {
    given.fetch_add(1, memory_order_relaxed);
    tray.parker->Unpark();
  };
  program.Thread(give);
  program.Thread(give);
});

const Register kTimeout("parker", "ATokenThatComesWithTheTimeoutIsNotLost", [](Program& program) {
  auto& tray = Make<Tray>();
  program.Thread([&tray] {
    const bool token = tray.parker->ParkUntil({});
    if (!token) tray.parker->Park();
    Check(tray.first == 1, "unparked for nothing");
  });
  program.Thread([&tray] {
    tray.first = 1;
    tray.parker->Unpark();
  });
});

struct Shared {
  Mutex* mutex = new Mutex;
  sync::plain<int> count{0};

  void Add() {
    const MutexLock lock(*mutex);
    count = count + 1;
  }
};

const Register kExcludes("mutex", "OneIsInsideAtATime", [](Program& program) {
  auto& shared = Make<Shared>();
  for (int i = 0; i < 3; ++i) program.Thread([&shared] { shared.Add(); });
  program.Finally([&shared] { Check(shared.count == 3, "a count was lost"); });
});

const Register kDestroyed("mutex", "TheNextOwnerMayDestroyIt", [](Program& program) {
  auto& shared = Make<Shared>();
  program.Thread([&shared] { shared.Add(); });
  program.Thread([&shared] {
    shared.mutex->Lock();
    const bool last = shared.count == 1;
    shared.mutex->Unlock();
    if (last) delete shared.mutex;
  });
});

}  // namespace
}  // namespace orchestrate::test
