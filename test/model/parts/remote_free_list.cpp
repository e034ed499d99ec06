#include <array>

#include <base/remote_free_list.hpp>
#include <test/model/model.hpp>

// Blocks of one slab that come back from other threads, while its owner may give the slab up.
namespace orchestrate::test {
namespace {

using detail::RemoteFreeList;

struct Slab {
  RemoteFreeList remote;
  std::array<sync::plain<std::uint32_t>, 5> link{};  // of the blocks 1 to 4
  sync::plain<int> owned{0};                         // what only the owner may touch
  std::array<int, 5> returned{};

  void Own() { owned = owned + 1; }
  void Return(std::uint32_t block) { Check(++returned[block] == 1, "a block came back twice"); }
  void ReturnAll(RemoteFreeList::Chain chain) {
    std::uint32_t count = 0;
    for (std::uint32_t at = chain.first; at != 0; at = link[at]) {
      Return(at);
      ++count;
    }
    Check(count == chain.count, "the count is not that of the blocks");
  }
  // What a thread does that frees a block of a slab which is not its own.
  void FreeRemotely(std::uint32_t block) {
    if (remote.Push({block, 1}, [this, block](std::uint32_t next) { link[block] = next; })) return;
    Own();
    Return(block);
    ReturnAll(remote.Collect());
  }
  void CheckAll(std::uint32_t blocks) {
    ReturnAll(remote.Collect());
    for (std::uint32_t i = 1; i <= blocks; ++i) Check(returned[i] == 1, "a block was lost");
  }
};

const Register kCollect("remote free list", "TheOwnerCollectsWhatTwoOthersFree", [](Program& program) {
  auto& slab = Make<Slab>();
  program.Thread([&slab] {
    slab.ReturnAll(slab.remote.Collect());
    slab.Own();
    slab.ReturnAll(slab.remote.Collect());
  });
  program.Thread([&slab] {
    slab.FreeRemotely(1);
    slab.FreeRemotely(2);
  });
  program.Thread([&slab] { slab.FreeRemotely(3); });
  program.Finally([&slab] { slab.CheckAll(3); });
});

const Register kDetach("remote free list", "OneOfThoseWhoFreeTakesADetachedSlab", [](Program& program) {
  auto& slab = Make<Slab>();
  program.Thread([&slab] {
    slab.Own();
    while (!slab.remote.Detach()) slab.ReturnAll(slab.remote.Collect());
  });
  program.Thread([&slab] { slab.FreeRemotely(1); });
  program.Thread([&slab] { slab.FreeRemotely(2); });
  program.Finally([&slab] {
    if (slab.remote.Claim()) slab.Own();
    slab.CheckAll(2);
  });
});

}  // namespace
}  // namespace orchestrate::test
