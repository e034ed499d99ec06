#include <algorithm>
#include <array>
#include <new>
#include <orchestrate/base/error.hpp>
#include <orchestrate/base/result.hpp>
#include <orchestrate/base/sync.hpp>
#include <string_view>
#include <typeinfo>

namespace orchestrate::inline v1 {
namespace detail {

// Immutable once it is shared, so that readers need no lock.
struct ErrorRep {
  sync::atomic<std::uint32_t> references{1};
  sync::plain<std::error_code> code;
  std::error_code inner_code;  // that of a thrown std::system_error
  std::string text;
  std::exception_ptr exception;
  Error cause;
  std::vector<IndexedError> parts;
  JoinCounts counts;
};

struct ErrorReps {
  // Runs `fill` on a new block; whatever lacks memory on the way gives the one error that needs none.
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
    return error;
  }

  // Copies what `error` says, without its text when it is a plain code.
  static void CopyTo(ErrorRep& rep, const Error& error) {
    rep.code = error.Code();
    if (!error.IsShared()) return;
    const ErrorRep& from = *error.Rep();
    rep.inner_code = from.inner_code;
    rep.text = from.text;
    rep.exception = from.exception;
    rep.cause = from.cause;
    rep.parts = from.parts;
    rep.counts = from.counts;
  }

  // Asks `matches` about every code of the error, its causes and its parts.
  template <class Matches>
  static bool Any(const Error& error, const Matches& matches) noexcept {
    const Error* at = &error;
    while (at->IsShared()) {
      const ErrorRep& rep = *at->Rep();
      if (matches(rep.code) || (rep.inner_code && matches(rep.inner_code))) return true;
      for (const IndexedError& part : rep.parts) {
        if (Any(part.error, matches)) return true;
      }
      at = &rep.cause;
    }
    return *at && matches(at->Code());
  }

  static void AppendParts(std::string& text, const ErrorRep& rep);
  static void AppendMessage(std::string& text, const Error& error);
};

void ErrorReps::AppendParts(std::string& text, const ErrorRep& rep) {
  constexpr std::size_t kSpelledOut = 16;
  text += std::to_string(rep.counts.failures);
  if (rep.counts.total != 0) text += " of " + std::to_string(rep.counts.total);
  text += " failed";
  const std::size_t shown = std::min(kSpelledOut, rep.parts.size());
  for (std::size_t i = 0; i < shown; ++i) {
    text += i == 0 ? ": #" : "; #";
    text += std::to_string(rep.parts[i].index) + ": ";
    AppendMessage(text, rep.parts[i].error);
  }
  if (rep.counts.failures > shown) text += "; and " + std::to_string(rep.counts.failures - shown) + " more";
}

void ErrorReps::AppendMessage(std::string& text, const Error& error) {
  const Error* at = &error;
  while (at->IsShared()) {
    const ErrorRep& rep = *at->Rep();
    if (!rep.text.empty()) text += rep.text;
    if (!rep.text.empty() && !rep.parts.empty()) text += ": ";
    if (!rep.parts.empty()) {
      AppendParts(text, rep);
    } else if (rep.text.empty() && rep.exception == nullptr) {
      text += std::error_code(rep.code).message();
    }
    at = &rep.cause;
    if (*at) text += ": ";
  }
  if (*at) text += at->Code().message();
}

}  // namespace detail

namespace {

// In the order of Errc, whose first value is 1.
constexpr std::array<const char*, 15> kTexts = {
    "cancelled",          "deadline exceeded", "exception",      "invalid argument",
    "not started",        "queue full",        "closed",         "already terminal",
    "already taken",      "not supported",     "not running",    "shut down",
    "already registered", "out of resources",  "would deadlock",
};

class OrchestrateCategory final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "orchestrate"; }

  [[nodiscard]] std::string message(int value) const override {
    if (value < 1 || value > static_cast<int>(kTexts.size())) return "unknown error " + std::to_string(value);
    return kTexts[static_cast<std::size_t>(value) - 1];
  }

  [[nodiscard]] std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<Errc>(value)) {
      case Errc::Cancelled:
        return std::errc::operation_canceled;
      case Errc::DeadlineExceeded:
        return std::errc::timed_out;
      case Errc::InvalidArgument:
        return std::errc::invalid_argument;
      case Errc::NotSupported:
        return std::errc::operation_not_supported;
      case Errc::WouldDeadlock:
        return std::errc::resource_deadlock_would_occur;
      default:
        return {value, *this};
    }
  }
};

}  // namespace

const std::error_category& ErrorCategory() noexcept {
  // Never destroyed: errors may be read while the program's statics go.
  alignas(OrchestrateCategory) static unsigned char place[sizeof(OrchestrateCategory)];
  static const std::error_category* const category = new (place) OrchestrateCategory;
  return *category;
}

Error::Error(detail::ErrorRep* rep) noexcept : bits_(reinterpret_cast<std::uintptr_t>(rep)) {}

Error::Error(std::error_code code) noexcept {
  if (!code) return;
  if (code.category() == ErrorCategory()) {
    *this = Error(static_cast<Errc>(code.value()));
  } else {
    *this = detail::ErrorReps::Make([&](detail::ErrorRep& rep) { rep.code = code; });
  }
}

Error::Error(Errc code, std::string_view sentence) noexcept : Error(make_error_code(code), sentence) {}

Error::Error(std::error_code code, std::string_view sentence) noexcept {
  if (!code) return;
  *this = detail::ErrorReps::Make([&](detail::ErrorRep& rep) {
    rep.code = code;
    rep.text = sentence;
  });
}

detail::ErrorRep* Error::Rep() const noexcept {
  return reinterpret_cast<detail::ErrorRep*>(bits_);  // NOLINT(performance-no-int-to-ptr)
}

void Error::RetainShared() const noexcept { Rep()->references.fetch_add(1, sync::memory_order_relaxed); }

void Error::Release() noexcept {
  // A loop, so that a long chain of causes needs no stack.
  Error current(Rep());
  bits_ = 0;
  while (current.IsShared()) {
    detail::ErrorRep* rep = current.Rep();
    current.bits_ = 0;
    // Release: whoever frees the block sees the other owners' last reads. Acquire: pairs with theirs.
    if (rep->references.fetch_sub(1, sync::memory_order_acq_rel) != 1) return;
    std::swap(current.bits_, rep->cause.bits_);
    delete rep;
  }
}

Error Error::FromException(const std::exception_ptr& exception) noexcept {
  if (exception == nullptr) return {Errc::InvalidArgument, "Error::FromException: the pointer is null"};
  Error held;
  std::error_code inner_code;
  const auto wrap = [&](std::string_view text) {
    return detail::ErrorReps::Make([&](detail::ErrorRep& rep) {
      rep.code = make_error_code(Errc::Exception);
      rep.inner_code = inner_code;
      rep.exception = exception;
      rep.text = text;
    });
  };
  try {
    std::rethrow_exception(exception);
  } catch (const ErrorException& e) {
    return e.Failure() ? e.Failure() : wrap(e.what());
  } catch (const std::system_error& e) {
    inner_code = e.code();
    return wrap(e.what());
  } catch (const std::exception& e) {
    return wrap(e.what());
  } catch (...) {
    return wrap("unknown exception");
  }
}

Error Error::FromCurrentException() noexcept {
  std::exception_ptr exception = std::current_exception();
  if (exception == nullptr)
    return {Errc::InvalidArgument, "Error::FromCurrentException: nothing is being handled"};
  return FromException(exception);
}

Error Error::Join(std::vector<IndexedError> parts, JoinCounts counts) noexcept {
  std::erase_if(parts, [](const IndexedError& part) { return !part.error; });
  if (parts.empty()) return {};
  return detail::ErrorReps::Make([&](detail::ErrorRep& rep) {
    rep.code = parts.front().error.Code();
    rep.counts = {std::max(counts.failures, parts.size()), counts.total};
    rep.parts = std::move(parts);
  });
}

Error Error::WithCause(Error cause) const noexcept {
  if (!*this) return cause;
  if (!cause) return *this;
  try {
    std::vector<Error> chain;
    for (Error at = *this; at; at = at.Cause()) chain.push_back(at);
    for (; !chain.empty(); chain.pop_back()) {
      cause = detail::ErrorReps::Make([&](detail::ErrorRep& rep) {
        detail::ErrorReps::CopyTo(rep, chain.back());
        rep.cause = std::move(cause);
      });
    }
    return cause;
  } catch (...) {
    return Errc::OutOfResources;
  }
}

Error Error::WithContext(std::string_view sentence) const noexcept {
  if (!*this) return {};
  return detail::ErrorReps::Make([&](detail::ErrorRep& rep) {
    detail::ErrorReps::CopyTo(rep, *this);
    const bool speaks = !rep.text.empty() || rep.exception != nullptr || !rep.parts.empty();
    const std::string text = speaks ? rep.text : std::error_code(rep.code).message();
    rep.text = sentence;
    if (!text.empty()) rep.text += ": " + text;
  });
}

std::error_code Error::Code() const noexcept {
  if (IsShared()) return Rep()->code;
  if (bits_ == 0) return {};
  return make_error_code(static_cast<Errc>(bits_ >> 1));
}

std::string Error::Message() const {
  std::string text;
  detail::ErrorReps::AppendMessage(text, *this);
  return text;
}

Error Error::Cause() const noexcept { return IsShared() ? Rep()->cause : Error(); }

std::exception_ptr Error::Exception() const noexcept { return IsShared() ? Rep()->exception : nullptr; }

const std::vector<IndexedError>& Error::Parts() const noexcept {
  using Parts = std::vector<IndexedError>;
  alignas(Parts) static unsigned char place[sizeof(Parts)];  // never destroyed, as the category
  static const Parts* const none = new (place) Parts;
  return IsShared() ? Rep()->parts : *none;
}

JoinCounts Error::Counts() const noexcept { return IsShared() ? Rep()->counts : JoinCounts{}; }

bool Error::Is(Errc code) const noexcept {
  if (bits_ == Error(code).bits_) return bits_ != 0;
  return IsShared() && Is(make_error_code(code));
}

bool Error::Is(std::error_code code) const noexcept {
  return detail::ErrorReps::Any(*this, [&](const std::error_code& own) { return own == code; });
}

bool Error::Is(std::error_condition condition) const noexcept {
  return detail::ErrorReps::Any(*this, [&](const std::error_code& own) { return own == condition; });
}

void Error::Rethrow() const {
  if (!*this) throw ErrorException({Errc::InvalidArgument, "Error::Rethrow: no error is set"});
  if (std::exception_ptr exception = Exception()) std::rethrow_exception(std::move(exception));
  throw ErrorException(*this);
}

ErrorException::~ErrorException() = default;

Error detail::UnsetFailure() noexcept {
  return {Errc::InvalidArgument, "Result: built from an Error that is not set"};
}

}  // namespace orchestrate::inline v1
