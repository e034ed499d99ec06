#include "base/error_rep.hpp"

#include <algorithm>
#include <unordered_set>

namespace orchestrate::inline v1::detail {

// ---- codes ----

std::uint32_t ErrorReps::BitOf(const std::error_code& code) noexcept {
  if (!code) return 0;
  const bool own = code.category() == ErrorCategory() && code.value() >= 1 && code.value() < 32;
  return own ? std::uint32_t{1} << code.value() : kForeign;
}

std::uint32_t ErrorReps::CodesOf(const Error& error) noexcept {
  return error.IsShared() ? error.Rep()->codes : BitOf(error.Code());
}

std::uint32_t ErrorReps::CodesIn(const ErrorRep& rep) noexcept {
  std::uint32_t codes = BitOf(rep.code) | CodesOf(rep.cause) | CodesOf(rep.joined);
  if (rep.exception != nullptr) codes |= BitOf(Errc::Exception);
  for (const IndexedError& part : rep.parts) codes |= CodesOf(part.error);
  return codes;
}

// What lies below an error and holds foreign codes, each block of it once.
class ErrorReps::Search {
 public:
  Search(Matches matches, const void* wanted) noexcept : matches_(matches), wanted_(wanted) {}

  bool Finds(const Error& error) {
    bool found = LookAt(error);
    while (!found && !pending_.empty()) {
      const ErrorRep& rep = *pending_.back();
      pending_.pop_back();
      found = LookInto(rep);
    }
    return found;
  }

 private:
  [[nodiscard]] bool IsWanted(const std::error_code& code) const {
    return BitOf(code) == kForeign && matches_(code, wanted_);
  }

  // True when `error` is a plain code that matches; a block is noted for later.
  bool LookAt(const Error& error) {
    if ((CodesOf(error) & kForeign) == 0) return false;
    if (!error.IsShared()) return IsWanted(error.Code());
    const ErrorRep* rep = error.Rep();
    // A block with one reference cannot be met twice, so most errors need no memory of what was seen.
    const bool alone = rep->references.load(sync::memory_order_relaxed) == 1;
    if (alone || seen_.insert(rep).second) pending_.push_back(rep);
    return false;
  }

  bool LookInto(const ErrorRep& rep) {
    if (IsWanted(rep.code)) return true;
    return LookAt(rep.cause) || LookAt(rep.joined) ||
           std::any_of(rep.parts.begin(), rep.parts.end(),
                       [this](const IndexedError& part) { return LookAt(part.error); });
  }

  Matches matches_;
  const void* wanted_;
  std::vector<const ErrorRep*> pending_;
  std::unordered_set<const ErrorRep*> seen_;
};

bool ErrorReps::AnyForeign(const Error& error, Matches matches, const void* wanted) noexcept {
  // A chain of causes up to the first joined error, mostly the whole, needs no memory.
  const Error* at = &error;
  while (at->IsShared() && JoinOf(*at->Rep()) == nullptr) {
    const ErrorRep& rep = *at->Rep();
    if ((rep.codes & kForeign) == 0) return false;
    if (BitOf(rep.code) == kForeign && matches(rep.code, wanted)) return true;
    at = &rep.cause;
  }
  try {
    return Search(matches, wanted).Finds(*at);
  } catch (...) {
    return false;
  }
}

// ---- life ----

const ErrorRep* ErrorReps::JoinOf(const ErrorRep& rep) noexcept {
  if (rep.joined.IsShared()) return rep.joined.Rep();
  return rep.parts.empty() ? nullptr : &rep;
}

void ErrorReps::CopyTo(ErrorRep& rep, const Error& error) {
  rep.code = error.Code();
  if (!error.IsShared()) return;
  const ErrorRep& from = *error.Rep();
  rep.text = from.text;
  rep.exception = from.exception;
  rep.cause = from.cause;
  rep.joined = from.parts.empty() ? from.joined : error;
  rep.counts = from.counts;
}

void ErrorReps::Destroy(ErrorRep* rep) noexcept {
  // A list through the blocks themselves, so that neither a long chain nor a deep nest needs stack or memory.
  for (ErrorRep* gone = rep; gone != nullptr;) {
    ErrorRep* const at = gone;
    gone = at->next_gone;
    GiveUp(at->cause, gone);
    GiveUp(at->joined, gone);
    for (IndexedError& part : at->parts) GiveUp(part.error, gone);
    delete at;
  }
}

void ErrorReps::GiveUp(Error& error, ErrorRep*& gone) noexcept {
  if (!error.IsShared()) return;
  ErrorRep* rep = error.Rep();
  error.bits_ = 0;
  // Release: the thread that frees the block sees the other owners' last reads. Acquire: pairs with theirs.
  if (rep->references.fetch_sub(1, sync::memory_order_acq_rel) != 1) return;
  rep->next_gone = gone;
  gone = rep;
}

// ---- text ----

// Writes an error. From the first joined error on the number of parts and bytes is limited, and so is the
// depth, as each level is a part.
class ErrorReps::Text {
 public:
  std::string Take() && noexcept { return std::move(text_); }

  void Append(const Error& error) {
    const Error* at = &error;
    while (at->IsShared()) {
      const ErrorRep& rep = *at->Rep();
      AppendOwn(rep);
      at = &rep.cause;
      if (*at && IsFull()) return AppendRaw(": …");
      if (*at) AppendRaw(": ");
    }
    if (*at) AppendLimited(at->Code().message());
  }

 private:
  static constexpr std::size_t kMostParts = 64;
  static constexpr std::size_t kMostBytes = 4096;

  [[nodiscard]] bool IsFull() const noexcept { return limit_ != 0 && text_.size() >= limit_; }
  void AppendRaw(std::string_view text) { text_ += text; }

  // Cuts `text` where the limit is, in front of a character of UTF-8.
  void AppendLimited(std::string_view text) {
    if (limit_ == 0 || text_.size() + text.size() <= limit_) return AppendRaw(text);
    std::size_t fits = limit_ > text_.size() ? limit_ - text_.size() : 0;
    while (fits != 0 && (static_cast<unsigned char>(text[fits]) & 0xC0U) == 0x80U) --fits;
    text_.append(text.substr(0, fits));
    AppendRaw("…");
    limit_ = text_.size();
  }

  void AppendOwn(const ErrorRep& rep) {
    const ErrorRep* join = JoinOf(rep);
    if (join == nullptr && rep.text.empty() && rep.exception == nullptr) {
      return AppendLimited(std::error_code(rep.code).message());
    }
    AppendLimited(rep.text);
    if (join == nullptr) return;
    if (!rep.text.empty()) AppendRaw(": ");
    AppendJoin(*join);
  }

  void AppendJoin(const ErrorRep& join) {
    AppendRaw(std::to_string(join.counts.failures));
    if (join.counts.total != 0) AppendRaw(" of " + std::to_string(join.counts.total));
    AppendRaw(" failed");
    if (std::find(told_.begin(), told_.end(), &join) != told_.end()) return AppendRaw(" (as above)");
    told_.push_back(&join);
    if (limit_ == 0) limit_ = text_.size() + kMostBytes;
    const std::size_t told = AppendParts(join);
    if (join.counts.failures == told) return;
    AppendRaw(told == 0 ? ": … and " : "; … and ");
    AppendRaw(std::to_string(join.counts.failures - told) + " more");
  }

  std::size_t AppendParts(const ErrorRep& join) {
    std::size_t told = 0;
    for (const IndexedError& part : join.parts) {
      if (parts_ == kMostParts || IsFull()) break;
      ++parts_;
      AppendRaw(told == 0 ? ": #" : "; #");
      AppendRaw(std::to_string(part.index) + ": ");
      Append(part.error);
      ++told;
    }
    return told;
  }

  std::string text_;
  std::size_t limit_ = 0;  // bytes, from the first joined error on
  std::size_t parts_ = 0;
  std::vector<const ErrorRep*> told_;  // joined errors; few, as each has written some bytes
};

std::string ErrorReps::MessageOf(const Error& error) {
  Text text;
  text.Append(error);
  return std::move(text).Take();
}

}  // namespace orchestrate::inline v1::detail
