#include <test/model/engine/choices.hpp>

#include <algorithm>

namespace orchestrate::model {
namespace {

constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";

}  // namespace

void Choices::BeginRandom(std::uint64_t seed) {
  *this = Choices();
  mode_ = Mode::Random;
  random_.seed(seed);
}

void Choices::BeginReplay(std::string_view text) {
  *this = Choices();
  mode_ = Mode::Replay;
  for (const char digit : text) {
    const auto taken = kDigits.find(digit);
    made_.push_back({static_cast<std::uint8_t>(taken == std::string_view::npos ? 0 : taken), 0});
  }
}

std::uint32_t Choices::Choose(std::uint32_t count) {
  if (count <= 1) return 0;
  if (position_ == made_.size()) {
    // Three times out of four the thread goes on: else hardly any would get through an operation.
    const bool random = mode_ == Mode::Random && (random_() & 3U) == 0;
    const auto taken = static_cast<std::uint8_t>(random ? random_() % count : 0);
    made_.push_back({taken, static_cast<std::uint8_t>(count)});
  }
  return std::min<std::uint32_t>(made_[position_++].taken, count - 1);
}

bool Choices::Next() {
  position_ = 0;
  if (mode_ == Mode::Replay) return false;
  if (mode_ == Mode::Random) {
    made_.clear();
    return true;
  }
  while (!made_.empty() && made_.back().taken + 1 == made_.back().count) made_.pop_back();
  if (made_.empty()) return false;
  ++made_.back().taken;
  return true;
}

std::string Choices::ToString() const {
  std::string text;
  for (const Choice& choice : made_) text += kDigits[choice.taken];
  while (text.size() > 1 && text.back() == '0') text.pop_back();
  return text;
}

}  // namespace orchestrate::model
