// The programs of the fork/join table. What differs between libraries is how children are run and joined:
// each takes a `Way` with Sum(count, child), which returns the sum of child(way, i) over i < count, and
// Both(first, second) and Four(a, b, c, d), which call functions of a way.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

namespace bench {

inline constexpr int kFib = 32;
inline constexpr double kFibForks = 3'524'577;  // calls of fib(32) that have children

template <typename Way>
long Fib(Way& way, int n) {
  if (n < 2) return n;
  long first = 0;
  long second = 0;
  way.Both([&first, n](Way& own) { first = Fib(own, n - 1); },
           [&second, n](Way& own) { second = Fib(own, n - 2); });
  return first + second;
}

/// A tree of fan-out 10 with 1 000 000 leaves, whose numbers are added up.
template <typename Way>
long Skynet(Way& way, long first, long leaves) {
  if (leaves == 1) return first;
  const long part = leaves / 10;
  return way.Sum(10, [first, part](Way& own, int i) { return Skynet(own, first + i * part, part); });
}
inline constexpr long kSkynetLeaves = 1'000'000;
inline constexpr long kSkynetSum = 499'999'500'000;

/// In how many ways `kQueens` queens stand on a board without attacking each other.
inline constexpr int kQueens = 12;
inline constexpr long kQueensWays = 14'200;
using Board = std::array<signed char, kQueens>;

inline bool IsSafe(const Board& board, int row, int column) {
  for (int above = 0; above < row; ++above) {
    const int at = board[static_cast<std::size_t>(above)];
    const int distance = row - above;
    if (at == column || at == column - distance || at == column + distance) return false;
  }
  return true;
}

template <typename Way>
long Queens(Way& way, const Board& board, int row) {
  if (row == kQueens) return 1;
  return way.Sum(kQueens, [&board, row](Way& own, int column) -> long {
    if (!IsSafe(board, row, column)) return 0;
    Board next = board;
    next[static_cast<std::size_t>(row)] = static_cast<signed char>(column);
    return Queens(own, next, row + 1);
  });
}

/// c += a * b of square matrices by recursive quarters; all three lie in rows of `kMatrix`.
inline constexpr int kMatrix = 1024;
inline constexpr int kMatrixLeaf = 32;

// Not inlined, so that all programs run the same instructions.
[[gnu::noinline]] inline void MultiplyLeaf(const double* a, const double* b, double* c) {
  for (int i = 0; i < kMatrixLeaf; ++i) {
    for (int k = 0; k < kMatrixLeaf; ++k) {
      const double factor = a[i * kMatrix + k];
      for (int j = 0; j < kMatrixLeaf; ++j) c[i * kMatrix + j] += factor * b[k * kMatrix + j];
    }
  }
}

template <typename Way>
void Multiply(Way& way, const double* a, const double* b, double* c, int n) {
  if (n == kMatrixLeaf) return MultiplyLeaf(a, b, c);
  const int h = n / 2;
  const int down = h * kMatrix;
  const auto quarter = [h](const double* left, const double* right, double* sum) {
    return [=](Way& own) { Multiply(own, left, right, sum, h); };
  };
  way.Four(quarter(a, b, c), quarter(a, b + h, c + h), quarter(a + down, b, c + down),
           quarter(a + down, b + h, c + down + h));
  way.Four(quarter(a + h, b + down, c), quarter(a + h, b + down + h, c + h),
           quarter(a + down + h, b + down, c + down), quarter(a + down + h, b + down + h, c + down + h));
}

struct Matrices {
  static constexpr std::size_t kSize = static_cast<std::size_t>(kMatrix) * kMatrix;
  // Where the pages of a matrix lie must not depend on what else a program has allocated.
  struct Freed {
    void operator()(double* all) const noexcept { std::free(all); }
  };
  using Matrix = std::unique_ptr<double[], Freed>;
  static Matrix Filled(double value) {
    constexpr std::size_t kHugePage = std::size_t{1} << 21;
    Matrix all(static_cast<double*>(std::aligned_alloc(kHugePage, kSize * sizeof(double))));
    std::fill_n(all.get(), kSize, value);
    return all;
  }
  Matrix a = Filled(1.5);
  Matrix b = Filled(2.0);
  Matrix c = Filled(0.0);

  template <typename Way>
  void Run(Way& way) {
    std::fill_n(c.get(), kSize, 0.0);
    Multiply(way, a.get(), b.get(), c.get(), kMatrix);
  }
  [[nodiscard]] bool IsRight() const { return c[0] == 3.0 * kMatrix && c[kSize - 1] == 3.0 * kMatrix; }
};

}  // namespace bench
