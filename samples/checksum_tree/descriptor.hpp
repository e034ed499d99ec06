#pragma once

#include <unistd.h>

#include <utility>

namespace checksum_tree {

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.Release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }

  explicit operator bool() const noexcept { return number_ >= 0; }
  [[nodiscard]] int Number() const noexcept { return number_; }
  int Release() noexcept { return std::exchange(number_, -1); }

 private:
  int number_;
};

}  // namespace checksum_tree
