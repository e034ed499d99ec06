#pragma once

namespace orchestrate::model {

// While an execution runs its own code, `new` takes memory from an arena that is emptied between executions
// and uses no byte twice within one: what was freed can still be told from what is new, and an execution may
// be left in the middle.
void EmptyArena() noexcept;

// The engine's own part of a call from the program: its memory comes from the heap.
class EngineScope {
 public:
  EngineScope() noexcept;
  EngineScope(const EngineScope&) = delete;
  EngineScope& operator=(const EngineScope&) = delete;
  ~EngineScope();

 private:
  bool before_;
};

// The program's part.
class ProgramScope {
 public:
  ProgramScope() noexcept;
  ProgramScope(const ProgramScope&) = delete;
  ProgramScope& operator=(const ProgramScope&) = delete;
  ~ProgramScope();

 private:
  bool before_;
};

}  // namespace orchestrate::model
