#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace orchestrate::model {

// The decisions of one execution, and which execution comes next.
class Choices {
 public:
  enum class Mode : std::uint8_t { DepthFirst, Random, Replay };

  void BeginDepthFirst() noexcept { *this = Choices(); }
  void BeginRandom(std::uint64_t seed);
  // `text` is what ToString() gave.
  void BeginReplay(std::string_view text);

  void Rewind() noexcept { position_ = 0; }

  // Returns a number below `count`; 0 is what goes on without an interruption.
  [[nodiscard]] std::uint32_t Choose(std::uint32_t count);

  // Prepares the next execution; false when there is none that differs.
  [[nodiscard]] bool Next();

  // The decisions of the last execution, for BeginReplay().
  [[nodiscard]] std::string ToString() const;

 private:
  struct Choice {
    std::uint8_t taken;
    std::uint8_t count;
  };

  Mode mode_ = Mode::DepthFirst;
  std::vector<Choice> made_;
  std::size_t position_ = 0;
  std::mt19937_64 random_;
};

}  // namespace orchestrate::model
