#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include <test/model/engine/clock.hpp>

namespace orchestrate::model {

// One store in the history of an atomic; the order of the histories is the order of execution.
struct StoreEvent {
  std::uint64_t value = 0;
  std::uint8_t thread = 0;
  std::uint32_t time = 0;
  VectorClock release;                                  // what who acquires this store learns
  std::array<std::uint32_t, kMaxThreads> first_read{};  // by thread, 0 = never
};

// What the engine knows of one atomic object during one execution.
struct Location {
  std::vector<StoreEvent> stores;
  std::size_t sc_floor = 0;  // the newest store that a seq_cst operation wrote or read
  std::array<std::uint8_t, kMaxThreads> stale_reads{};
  std::uint32_t number = 0;
  bool dead = false;

  // Empties it for its next object but keeps the memory.
  void Begin(std::uint32_t new_number, std::uint64_t value, std::uint8_t thread, std::uint32_t time);

  // The oldest store that a thread with this past may still read: not one that it knows to be overwritten,
  // and not one older than what it knows somebody to have read.
  [[nodiscard]] std::size_t OldestReadable(const VectorClock& past) const noexcept;

  void NoteRead(std::size_t index, std::size_t thread, std::uint32_t time) noexcept {
    auto& first = stores[index].first_read[thread];
    if (first == 0) first = time;
  }
};

// What the engine knows of one field that is not atomic.
struct PlainState {
  std::uint64_t execution = 0;
  std::uint32_t number = 0;
  std::uint8_t writer = 0;
  bool dead = false;
  std::uint32_t written = 0;
  std::array<std::uint32_t, kMaxThreads> read{};
};

inline void Location::Begin(std::uint32_t new_number, std::uint64_t value, std::uint8_t thread,
                            std::uint32_t time) {
  stores.clear();
  StoreEvent first;
  first.value = value;
  first.thread = thread;
  first.time = time;
  stores.push_back(first);
  sc_floor = 0;
  stale_reads = {};
  number = new_number;
  dead = false;
}

inline std::size_t Location::OldestReadable(const VectorClock& past) const noexcept {
  for (std::size_t i = stores.size(); i-- > 1;) {
    const StoreEvent& store = stores[i];
    if (past.Knows(store.thread, store.time)) return i;
    for (std::size_t thread = 0; thread < kMaxThreads; ++thread) {
      if (store.first_read[thread] != 0 && past.Knows(thread, store.first_read[thread])) return i;
    }
  }
  return 0;
}

}  // namespace orchestrate::model
