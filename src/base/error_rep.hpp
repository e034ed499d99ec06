#pragma once

#include <cstdint>
#include <exception>
#include <new>
#include <orchestrate/base/error.hpp>
#include <orchestrate/base/sync.hpp>
#include <string>
#include <system_error>
#include <vector>

namespace orchestrate::inline v1::detail {

// Immutable once it is shared, so that readers need no lock. Blocks refer only to older ones, so they form no
// cycle; many may refer to one.
struct ErrorRep {
  sync::atomic<std::uint32_t> references{1};
  std::uint32_t codes = 0;  // ErrorReps::BitOf() of every code in this block and below
  sync::plain<std::error_code> code;
  std::string text;
  std::exception_ptr exception;  // then Is(Errc::Exception), whatever `code` is
  Error cause;
  Error joined;                     // the block with the parts, when Join() made another one than this
  std::vector<IndexedError> parts;  // only of a block that Join() made, which has no text and no cause
  JoinCounts counts;
  ErrorRep* next_gone = nullptr;  // once nothing refers to it
};

// What Error does to its blocks. Nothing here recurses over causes or parts, except the text, which has a
// limit.
struct ErrorReps {
  // Runs `fill` on a new block; a lack of memory on the way gives the one error that needs none.
  template <class Fill>
  static Error Make(Fill fill) noexcept {
    ErrorRep* rep = new (std::nothrow) ErrorRep;
    if (rep == nullptr) return Errc::OutOfResources;
    Error error(rep);
    try {
      fill(*rep);
    } catch (...) {
      return Errc::OutOfResources;
    }
    rep->codes = CodesIn(*rep);
    return error;
  }

  // A bit for each value of Errc; the lowest for every other code.
  static constexpr std::uint32_t kForeign = 1;
  [[nodiscard]] static std::uint32_t BitOf(const std::error_code& code) noexcept;
  [[nodiscard]] static std::uint32_t CodesOf(const Error& error) noexcept;

  // Copies what `error` says, without its text when it is a plain code.
  static void CopyTo(ErrorRep& rep, const Error& error);
  // The block with the parts of a joined error, or null.
  [[nodiscard]] static const ErrorRep* JoinOf(const ErrorRep& rep) noexcept;
  // Frees a block that nothing refers to any more, and every block that only it referred to.
  static void Destroy(ErrorRep* rep) noexcept;
  // Returns true if one of the codes that are not of Errc, here or below, matches `wanted`. Each block is
  // looked at once. False, too, when there is no memory to remember them, which only shared joined errors
  // need.
  using Matches = bool (*)(const std::error_code& own, const void* wanted);
  [[nodiscard]] static bool AnyForeign(const Error& error, Matches matches, const void* wanted) noexcept;
  [[nodiscard]] static std::string MessageOf(const Error& error);

 private:
  class Search;
  class Text;
  [[nodiscard]] static std::uint32_t CodesIn(const ErrorRep& rep) noexcept;
  static void GiveUp(Error& error, ErrorRep*& gone) noexcept;
};

}  // namespace orchestrate::inline v1::detail
