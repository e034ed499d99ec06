#include <orchestrate/base/error.hpp>

#include <cxxabi.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <orchestrate/base/result.hpp>
#include <string_view>
#include <typeinfo>
#include "base/error_rep.hpp"

namespace orchestrate::inline v1 {
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

namespace {

// Before main: a fork that met another thread in the guard would leave the child waiting there for ever.
[[maybe_unused]] const auto& early_category = ErrorCategory();
[[maybe_unused]] const auto& early_parts = Error().Parts();

}  // namespace

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
  detail::ErrorRep* rep = Rep();
  bits_ = 0;
  // Release: the thread that frees the block sees the other owners' last reads. Acquire: pairs with theirs.
  if (rep->references.fetch_sub(1, sync::memory_order_acq_rel) == 1) detail::ErrorReps::Destroy(rep);
}

namespace {

std::string NameOf(const std::type_info& type) {
  int status = 0;
  char* name = abi::__cxa_demangle(type.name(), nullptr, nullptr, &status);
  std::string text = name != nullptr ? name : type.name();
  std::free(name);  // NOLINT: from malloc
  return text;
}

Error Wrap(const std::exception_ptr& exception, std::error_code code, std::string_view text) noexcept {
  return detail::ErrorReps::Make([&](detail::ErrorRep& rep) {
    rep.code = code ? code : make_error_code(Errc::Exception);
    rep.exception = exception;
    rep.text = text;
  });
}

Error WrapUnspoken(const std::exception_ptr& exception, const std::type_info* type,
                   const char* why) noexcept {
  return detail::MakeError([&] {
    return Wrap(exception, {}, "an exception of type " + (type != nullptr ? NameOf(*type) : "unknown") + why);
  });
}

Error WrapStd(const std::exception_ptr& exception, const std::exception& e, std::error_code code) noexcept {
  if (e.what() != nullptr) return Wrap(exception, code, e.what());
  const Error unspoken = WrapUnspoken(exception, &typeid(e), ", whose what() is null");
  return code ? Wrap(exception, code, unspoken.Message()) : unspoken;
}

// The exception is being handled.
Error FromHandled(const std::exception_ptr& exception) noexcept {
  try {
    throw;
  } catch (const ErrorException& e) {
    return e.Failure() ? e.Failure() : WrapStd(exception, e, {});
  } catch (const Error& error) {
    return error ? error : WrapUnspoken(exception, &typeid(Error), " that is not set");
  } catch (Errc code) {
    return code != Errc{} ? Error(code) : WrapUnspoken(exception, &typeid(Errc), " that is 0");
  } catch (const std::error_code& code) {
    return code ? Error(code) : WrapUnspoken(exception, &typeid(std::error_code), " that is 0");
  } catch (const std::system_error& e) {
    return WrapStd(exception, e, e.code());
  } catch (const std::exception& e) {
    return WrapStd(exception, e, {});
  } catch (...) {
    return WrapUnspoken(exception, abi::__cxa_current_exception_type(), "");
  }
}

}  // namespace

Error Error::FromException(const std::exception_ptr& exception) noexcept {
  if (exception == nullptr) return {Errc::InvalidArgument, "Error::FromException: the pointer is null"};
  try {
    std::rethrow_exception(exception);
  } catch (...) {
    return FromHandled(exception);
  }
}

Error Error::FromCurrentException() noexcept {
  const std::exception_ptr exception = std::current_exception();
  if (exception == nullptr) {
    detail::EndIfThreadLeaves();
    return {Errc::InvalidArgument, "Error::FromCurrentException: nothing is being handled"};
  }
  return FromHandled(exception);
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
    for (Error at = *this; at; at = at.Cause()) {
      if (at == cause) return *this;  // it says so already
      chain.push_back(at);
    }
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
    const bool speaks = !rep.text.empty() || rep.exception != nullptr || rep.joined;
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

std::string Error::Message() const { return detail::ErrorReps::MessageOf(*this); }

Error Error::Cause() const noexcept { return IsShared() ? Rep()->cause : Error(); }

std::exception_ptr Error::Exception() const noexcept { return IsShared() ? Rep()->exception : nullptr; }

const std::vector<IndexedError>& Error::Parts() const noexcept {
  using Parts = std::vector<IndexedError>;
  alignas(Parts) static unsigned char place[sizeof(Parts)];  // never destroyed, as the category
  static const Parts* const none = new (place) Parts;
  const detail::ErrorRep* join = IsShared() ? detail::ErrorReps::JoinOf(*Rep()) : nullptr;
  return join != nullptr ? join->parts : *none;
}

JoinCounts Error::Counts() const noexcept { return IsShared() ? Rep()->counts : JoinCounts{}; }

bool Error::Is(Errc code) const noexcept {
  if (bits_ == Error(code).bits_) return bits_ != 0;
  return IsShared() && Is(make_error_code(code));
}

bool Error::Is(std::error_code code) const noexcept {
  const auto bit = detail::ErrorReps::BitOf(code);
  if ((detail::ErrorReps::CodesOf(*this) & bit) == 0) return false;
  if (bit != detail::ErrorReps::kForeign) return true;
  const auto equals = [](const std::error_code& own, const void* wanted) {
    return own == *static_cast<const std::error_code*>(wanted);
  };
  return detail::ErrorReps::AnyForeign(*this, equals, &code);
}

bool Error::Is(std::error_condition condition) const noexcept {
  const auto codes = detail::ErrorReps::CodesOf(*this);
  for (int value = 1; value < 32; ++value) {
    if ((codes >> value & 1U) != 0 && make_error_code(static_cast<Errc>(value)) == condition) return true;
  }
  if ((codes & detail::ErrorReps::kForeign) == 0) return false;
  const auto meets = [](const std::error_code& own, const void* wanted) {
    return own == *static_cast<const std::error_condition*>(wanted);
  };
  return detail::ErrorReps::AnyForeign(*this, meets, &condition);
}

void Error::Rethrow() const {
  if (!*this) throw ErrorException({Errc::InvalidArgument, "Error::Rethrow: no error is set"});
  if (std::exception_ptr exception = Exception()) std::rethrow_exception(std::move(exception));
  throw ErrorException(*this);
}

ErrorException::~ErrorException() = default;

void detail::EndIfThreadLeaves() noexcept {
  // What is handled but is no C++ exception is the unwinding of a thread that ends. The first member of the
  // globals, by the ABI that GCC and Clang share, is the innermost one that is handled.
  if (std::current_exception() != nullptr) return;
  const auto* const handled = reinterpret_cast<void* const*>(abi::__cxa_get_globals());
  if (*handled == nullptr) return;
  std::fputs(
      "orchestrate: pthread_exit or pthread_cancel ended a thread inside a task or a call-back, which the "
      "library cannot survive; return or throw instead\n",
      stderr);
  std::abort();
}

Error detail::UnsetFailure() noexcept {
  return {Errc::InvalidArgument, "Result: built from an Error that is not set"};
}

}  // namespace orchestrate::inline v1
