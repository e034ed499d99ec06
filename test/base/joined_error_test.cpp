#include <gtest/gtest.h>

#include <cerrno>
#include <orchestrate/base/error.hpp>
#include <stdexcept>
#include <string>
#include <vector>

// Many failures in one error.
namespace orchestrate {
namespace {

Error Boom() { return Error::FromException(std::make_exception_ptr(std::runtime_error("boom"))); }

TEST(Error, JoinListsIndexAndErrorInOrder) {
  const Error error = Error::Join({{1, Boom()}, {2, {}}, {3, Errc::Cancelled}}, {.total = 5});
  ASSERT_EQ(error.Parts().size(), 2U);
  EXPECT_EQ(error.Parts()[0].index, 1U);
  EXPECT_EQ(error.Parts()[1].index, 3U);
  EXPECT_EQ(error.Parts()[1].error, Errc::Cancelled);
  EXPECT_EQ(error.Message(), "2 of 5 failed: #1: boom; #3: cancelled");
  EXPECT_EQ(error.Code(), Errc::Exception);
  EXPECT_TRUE(error.Is(Errc::Cancelled));
  EXPECT_FALSE(error.Is(Errc::Closed));
  EXPECT_THROW(error.Rethrow(), ErrorException);
}

TEST(Error, JoinCountsWhatItDidNotKeep) {
  const Error error = Error::Join({{0, Errc::Closed}}, {.failures = 7, .total = 9});
  EXPECT_EQ(error.Message(), "7 of 9 failed: #0: closed; … and 6 more");
  EXPECT_EQ(error.Counts().failures, 7U);
  EXPECT_EQ(error.Counts().total, 9U);
  EXPECT_EQ(Error::Join({{4, Errc::Closed}}).Message(), "1 failed: #4: closed");
}

TEST(Error, JoinSpellsOutSixtyFourParts) {
  std::vector<IndexedError> parts;
  for (std::size_t i = 0; i < 100; ++i) parts.push_back({i, Errc::Closed});
  const Error error = Error::Join(std::move(parts), {.total = 100});
  EXPECT_EQ(error.Parts().size(), 100U);
  EXPECT_TRUE(error.Message().ends_with("#63: closed; … and 36 more"));
}

TEST(Error, JoinSpellsOutFourKibibytes) {
  const Error part(Errc::Closed, std::string(1000, 'x'));
  const std::string few =
      Error::Join({{0, part}, {1, part}, {2, part}, {3, part}, {4, part}, {5, part}}).Message();
  EXPECT_TRUE(few.ends_with("x…; … and 1 more"));
  EXPECT_LT(few.size(), 4200U);
  Error chain = part;
  for (int i = 0; i < 5; ++i) chain = chain.WithCause({Errc::Closed, std::string(1000, 'x')});
  EXPECT_TRUE(Error::Join({{0, chain}}).Message().ends_with("x…: …"));
}

TEST(Error, JoinCutsBetweenCharacters) {
  const Error part(Errc::Closed, "xx" + std::string(3000, 'x') + "\u20ac\u20ac" + std::string(3000, 'x'));
  for (std::size_t more = 0; more < 4; ++more) {
    const Error longer = part.WithContext(std::string(1070 + more, 'y'));
    const std::string text = Error::Join({{0, longer}}).Message();
    const std::size_t cut = text.find("…");
    ASSERT_NE(cut, std::string::npos);
    EXPECT_TRUE(text[cut - 1] == 'x' || text.substr(cut - 3, 3) == "\u20ac") << more;
  }
}

TEST(Error, TellsAJoinedErrorOnce) {
  const Error inner = Error::Join({{0, Errc::Closed}, {1, Errc::Cancelled}}, {.total = 3});
  const Error outer = Error::Join({{4, inner}, {5, inner.WithContext("again")}, {6, Errc::Closed}});
  EXPECT_EQ(outer.Message(),
            "3 failed: #4: 2 of 3 failed: #0: closed; #1: cancelled; #5: again: 2 of 3 failed (as above); "
            "#6: closed");
}

TEST(Error, JoinSharesItsParts) {
  const Error error = Error::Join({{0, Errc::Closed}, {1, Errc::Cancelled}});
  EXPECT_EQ(&error.WithContext("fetch").Parts(), &error.Parts());
  EXPECT_EQ(&error.WithContext("fetch").WithCause(Errc::ShutDown).Parts(), &error.Parts());
}

// Each of `width` errors of a layer joins all of the layer below.
Error Layers(int layers, int width, const Error& bottom) {
  std::vector<Error> below(static_cast<std::size_t>(width), bottom);
  for (int layer = 0; layer < layers; ++layer) {
    std::vector<Error> here;
    for (int i = 0; i < width; ++i) {
      std::vector<IndexedError> parts;
      for (const Error& error : below) parts.push_back({parts.size(), error});
      here.push_back(Error::Join(std::move(parts)));
    }
    below = std::move(here);
  }
  return below.front();
}

// The paths through these layers are 8 to the power of 60: only a walk that visits every error once ends.
TEST(Error, LooksAtSharedErrorsOnce) {
  const Error error = Layers(60, 8, Error(std::make_error_code(std::errc::io_error), "disk is gone"));
  EXPECT_TRUE(error.Is(std::errc::io_error));
  EXPECT_FALSE(error.Is(std::errc::no_space_on_device));
  EXPECT_FALSE(error.Is(std::error_code(EIO, std::system_category())));
  EXPECT_FALSE(error.Is(Errc::InvalidArgument));
  EXPECT_LT(error.Message().size(), 8192U);
  EXPECT_NE(Layers(3, 4, Errc::Closed).Message().find("(as above)"), std::string::npos);
}

TEST(Error, JoinOfNothingIsEmpty) {
  EXPECT_FALSE(Error::Join({}, {.total = 5}));
  EXPECT_FALSE(Error::Join({{0, {}}, {1, {}}}));
}

TEST(Error, TellsALongChainOfJoinedCausesWithOneLimit) {
  Error chain;
  for (std::size_t i = 0; i < 200'000; ++i) chain = Error::Join({{i, Errc::Closed}}).WithCause(chain);
  const std::string message = chain.Message();
  EXPECT_LT(message.size(), 5000U);
  EXPECT_TRUE(message.starts_with("1 failed: #199999: closed: 1 failed: #199998: closed")) << message;
  EXPECT_TRUE(message.ends_with("…")) << message;
}

TEST(Error, JoinTakesContextAndCause) {
  const Error error =
      Error::Join({{0, Errc::Closed}}, {.total = 2}).WithContext("InvokeAll").WithCause(Errc::ShutDown);
  EXPECT_EQ(error.Message(), "InvokeAll: 1 of 2 failed: #0: closed: shut down");
  EXPECT_EQ(error.Parts().size(), 1U);
}

}  // namespace
}  // namespace orchestrate
