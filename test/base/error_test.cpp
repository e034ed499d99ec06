#include <gtest/gtest.h>
#include <memory>
#include <orchestrate/base/error.hpp>
#include <string>
#include <thread>
#include <vector>

#include <test/support/little_stack.hpp>

namespace orchestrate {
namespace {

static_assert(sizeof(Error) == sizeof(void*));
static_assert(std::is_nothrow_copy_constructible_v<Error> && std::is_nothrow_move_constructible_v<Error>);
static_assert(std::is_nothrow_constructible_v<Error, Errc>);
static_assert(std::is_nothrow_constructible_v<Error, Errc, const char*>, "a literal needs no memory");
static_assert(noexcept(Error().WithContext("a literal")));
static_assert(std::is_error_code_enum_v<Errc>);

Error Thrown(auto exception) {
  try {
    throw exception;
  } catch (...) {
    return Error::FromCurrentException();
  }
}

TEST(Errc, IsAStandardErrorCode) {
  const std::error_code code = Errc::QueueFull;
  EXPECT_STREQ(code.category().name(), "orchestrate");
  EXPECT_EQ(code.message(), "queue full");
  EXPECT_EQ(std::error_code(99, ErrorCategory()).message(), "unknown error 99");
  EXPECT_EQ(std::error_code(Errc::WouldDeadlock).message(), "would deadlock");
}

TEST(Errc, MeetsTheStandardConditions) {
  EXPECT_EQ(std::error_code(Errc::Cancelled), std::errc::operation_canceled);
  EXPECT_EQ(std::error_code(Errc::DeadlineExceeded), std::errc::timed_out);
  EXPECT_EQ(std::error_code(Errc::InvalidArgument), std::errc::invalid_argument);
  EXPECT_EQ(std::error_code(Errc::NotSupported), std::errc::operation_not_supported);
  EXPECT_NE(std::error_code(Errc::Closed), std::errc::operation_canceled);
}

TEST(Error, IsEmptyByDefault) {
  const Error error;
  EXPECT_FALSE(error);
  EXPECT_FALSE(error.Code());
  EXPECT_EQ(error.Message(), "");
  EXPECT_FALSE(error.Cause());
  EXPECT_EQ(error.Exception(), nullptr);
  EXPECT_TRUE(error.Parts().empty());
  EXPECT_FALSE(error.Is(Errc::Cancelled));
  EXPECT_FALSE(error.Is(std::error_code()));
}

TEST(Error, HoldsAPlainCode) {
  const Error error = Errc::Cancelled;
  EXPECT_TRUE(error);
  EXPECT_EQ(error.Code(), Errc::Cancelled);
  EXPECT_EQ(error.Message(), "cancelled");
  EXPECT_TRUE(error.Is(Errc::Cancelled));
  EXPECT_TRUE(error.Is(std::errc::operation_canceled));
  EXPECT_FALSE(error.Is(Errc::DeadlineExceeded));
}

TEST(Error, TreatsTheCodeZeroAsNoError) {
  EXPECT_FALSE(Error(std::error_code()));
  EXPECT_FALSE(Error(std::error_code(), "read"));
  EXPECT_FALSE(Error(Errc{}));
}

TEST(Error, ComparesIdentity) {
  const Error sentence(Errc::Cancelled, "stopped by the user");
  const Error copy = sentence;
  EXPECT_EQ(Error(Errc::Cancelled), Error(Errc::Cancelled));
  EXPECT_EQ(sentence, copy);
  EXPECT_NE(sentence, Error(Errc::Cancelled));
  EXPECT_NE(Error(), Error(Errc::Cancelled));
}

TEST(Error, ComparesWithCodesAsIsDoes) {
  const Error error = Error(Errc::Cancelled, "stopped").WithCause(std::make_error_code(std::errc::io_error));
  EXPECT_EQ(error, Errc::Cancelled);
  EXPECT_EQ(error, std::make_error_code(std::errc::io_error));
  EXPECT_EQ(error, std::errc::io_error);
  EXPECT_NE(error, Errc::Closed);
}

TEST(Error, KeepsAForeignCode) {
  const std::error_code code(ENOENT, std::system_category());
  const Error error(code, "open /nowhere: no such file");
  EXPECT_EQ(error.Code(), code);
  EXPECT_EQ(error.Message(), "open /nowhere: no such file");
  EXPECT_TRUE(error.Is(std::errc::no_such_file_or_directory));
  EXPECT_EQ(Error(code).Message(), code.message());
}

TEST(Error, MovesToEmpty) {
  Error from(Errc::Closed, "the queue is closed");
  const Error to = std::move(from);
  EXPECT_FALSE(from);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(to.Message(), "the queue is closed");
}

TEST(Error, AssignsToItself) {
  Error error(Errc::Closed, "the queue is closed");
  const Error& same = error;
  error = same;
  EXPECT_EQ(error.Message(), "the queue is closed");
}

TEST(Error, ShowsAnExceptionByItsText) {
  const Error error = Thrown(std::runtime_error("boom"));
  EXPECT_TRUE(error.Is(Errc::Exception));
  EXPECT_EQ(error.Code(), Errc::Exception);
  EXPECT_EQ(error.Message(), "boom");
}

TEST(Error, ShowsAnEmptyWhatAsIs) { EXPECT_EQ(Thrown(std::runtime_error("")).Message(), ""); }

TEST(Error, RethrowsTheSameExceptionObject) {
  const std::runtime_error* thrown = nullptr;
  Error error;
  try {
    throw std::runtime_error("boom");
  } catch (const std::runtime_error& e) {
    thrown = &e;
    error = Error::FromCurrentException();
  }
  try {
    error.Rethrow();
  } catch (const std::runtime_error& e) {
    EXPECT_EQ(&e, thrown);
    return;
  }
  FAIL();
}

TEST(Error, NamesWhatIsNoStdException) {
  const Error error = Thrown(42);
  EXPECT_EQ(error.Message(), "an exception of type int");
  EXPECT_TRUE(error.Is(Errc::Exception));
  EXPECT_THROW(error.Rethrow(), int);
}

struct Speechless : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return nullptr; }
};

TEST(Error, NamesAnExceptionWhoseTextIsNull) {
  const Error error = Thrown(Speechless());
  EXPECT_TRUE(error.Message().ends_with("Speechless, whose what() is null"));
  EXPECT_TRUE(error.Is(Errc::Exception));
  EXPECT_THROW(error.Rethrow(), Speechless);
}

// D40
TEST(Error, TakesAThrownCodeOrErrorAsIfReturned) {
  const Error full(Errc::QueueFull, "Submit: 64 are queued");
  EXPECT_EQ(Thrown(full), full);
  EXPECT_EQ(Thrown(Errc::QueueFull), Error(Errc::QueueFull));
  const std::error_code no_entry(ENOENT, std::generic_category());
  EXPECT_EQ(Thrown(no_entry).Code(), no_entry);
  EXPECT_FALSE(Thrown(no_entry).Is(Errc::Exception));
  EXPECT_THROW(Thrown(Errc::QueueFull).Rethrow(), ErrorException);
}

TEST(Error, IsSetAlsoWhenNoErrorWasThrown) {
  EXPECT_EQ(Thrown(Error()).Message(), "an exception of type orchestrate::v1::Error that is not set");
  EXPECT_EQ(Thrown(Errc{}).Message(), "an exception of type orchestrate::v1::Errc that is 0");
  EXPECT_TRUE(Thrown(std::error_code()).Is(Errc::Exception));
  EXPECT_EQ(Thrown(std::system_error(std::error_code(), "odd")).Code(), Errc::Exception);
}

// D40
TEST(Error, HasTheCodeOfASystemError) {
  const Error error = Thrown(std::system_error(EACCES, std::generic_category(), "open"));
  EXPECT_EQ(error.Code(), std::error_code(EACCES, std::generic_category()));
  EXPECT_TRUE(error.Is(Errc::Exception));
  EXPECT_TRUE(error.Is(std::errc::permission_denied));
  EXPECT_TRUE(error.Is(std::error_code(EACCES, std::generic_category())));
  EXPECT_THROW(error.Rethrow(), std::system_error);
}

TEST(Error, UnwrapsItsOwnException) {
  const Error error(Errc::Closed, "the queue is closed");
  EXPECT_EQ(Thrown(ErrorException(error)), error);
  EXPECT_EQ(Thrown(ErrorException(Error())).Code(), Errc::Exception);
}

TEST(Error, RefusesANullException) {
  EXPECT_TRUE(Error::FromException(nullptr).Is(Errc::InvalidArgument));
  EXPECT_TRUE(Error::FromCurrentException().Is(Errc::InvalidArgument));
}

TEST(Error, ThrowsAnErrorExceptionWhereNothingWasThrown) {
  const Error error(Errc::QueueFull, "Submit: 64 are queued");
  try {
    error.Rethrow();
  } catch (const ErrorException& e) {
    EXPECT_STREQ(e.what(), "Submit: 64 are queued");
    EXPECT_EQ(e.Failure(), error);
    return;
  }
  FAIL();
}

TEST(Error, RethrowOfNothingSaysSo) {
  try {
    Error().Rethrow();
  } catch (const ErrorException& e) {
    EXPECT_TRUE(e.Failure().Is(Errc::InvalidArgument));
    return;
  }
  FAIL();
}

TEST(Error, LooksThroughCauses) {
  const Error cause = Thrown(std::runtime_error("disk is gone"));
  const Error error = Error(Errc::DeadlineExceeded).WithCause(cause);
  EXPECT_EQ(error.Code(), Errc::DeadlineExceeded);
  EXPECT_EQ(error.Cause(), cause);
  EXPECT_TRUE(error.Is(Errc::DeadlineExceeded));
  EXPECT_TRUE(error.Is(Errc::Exception));
  EXPECT_FALSE(error.Is(Errc::Cancelled));
  EXPECT_EQ(error.Message(), "deadline exceeded: disk is gone");
  EXPECT_THROW(error.Rethrow(), ErrorException);
}

TEST(Error, AppendsACauseToTheChain) {
  const Error error = Error(Errc::Closed).WithCause(Errc::ShutDown).WithCause({Errc::Cancelled, "by SIGINT"});
  EXPECT_EQ(error.Message(), "closed: shut down: by SIGINT");
  EXPECT_EQ(error.Cause().Code(), Errc::ShutDown);
  EXPECT_EQ(error.Cause().Cause().Code(), Errc::Cancelled);
}

TEST(Error, WithACauseThatItHasIsItself) {
  const Error cause(Errc::ShutDown, "the runtime was shut down");
  const Error error = Error(Errc::Cancelled).WithCause(cause);
  EXPECT_EQ(error.WithCause(cause), error);
}

TEST(Error, WithAnEmptyCauseIsItself) {
  const Error error(Errc::Closed, "gone");
  EXPECT_EQ(error.WithCause({}), error);
  EXPECT_EQ(Error().WithCause(error), error);
}

TEST(Error, WithContextSpeaksFirst) {
  const Error thrown = Thrown(std::runtime_error("boom"));
  const Error error = thrown.WithContext("task fetch");
  EXPECT_EQ(error.Message(), "task fetch: boom");
  EXPECT_EQ(error.Code(), Errc::Exception);
  EXPECT_THROW(error.Rethrow(), std::runtime_error);
  EXPECT_EQ(thrown.Message(), "boom");
  EXPECT_EQ(Error(Errc::Closed).WithContext("Receive").Message(), "Receive: closed");
  EXPECT_FALSE(Error().WithContext("Receive"));
}

TEST(Error, HoldsALongChainOfCausesWithoutStack) {
  Error error = Errc::Closed;
  for (int i = 0; i < 200'000; ++i) error = Error(Errc::Cancelled, "next").WithCause(std::move(error));
  EXPECT_TRUE(error.Is(Errc::Closed));
  EXPECT_GT(error.Message().size(), 200'000U);
}

TEST(Error, IsAsDeepAsMemoryAllows) {
  test::WithLittleStack([] {
    Error error(std::make_error_code(std::errc::io_error), "disk is gone");
    for (std::size_t i = 0; i < 200'000; ++i) {
      error = Error::Join({{i, std::move(error)}});
      error = Error(Errc::Cancelled, "next").WithCause(error.WithContext("in between"));
    }
    EXPECT_TRUE(error.Is(std::errc::io_error));
    EXPECT_FALSE(error.Is(std::errc::no_space_on_device));
    EXPECT_LT(error.Message().size(), 8192U);
    error = {};
  });
}

TEST(Error, SharesItsBlockAmongThreads) {
  auto held = std::make_shared<int>(7);
  const std::weak_ptr<int> watch = held;
  {
    const Error error = Thrown(held);
    held.reset();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([error] {
        for (int n = 0; n < 10'000; ++n) {
          Error copy = error;
          Error other = std::move(copy);
          ASSERT_TRUE(other.Is(Errc::Exception));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace orchestrate
