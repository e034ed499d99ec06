#pragma once

namespace orchestrate::model {

// While an execution runs its own code, `new` takes memory from an arena that is emptied between executions
// and uses no byte twice within one: what was freed can still be told from what is new, and an execution may
// be left in the middle.
void EmptyArena() noexcept;

// Whose code runs until the end of the scope: the engine's memory comes from the heap.
enum class Side : bool { Engine, Program };

class MemoryOf {
 public:
  explicit MemoryOf(Side side) noexcept;
  MemoryOf(const MemoryOf&) = delete;
  MemoryOf& operator=(const MemoryOf&) = delete;
  ~MemoryOf();

 private:
  Side before_;
};

}  // namespace orchestrate::model
