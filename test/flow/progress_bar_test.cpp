#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <flow/progress_render.hpp>
#include <orchestrate/base/error.hpp>
#include <orchestrate/flow/progress_bar.hpp>
#include <orchestrate/testkit/manual_clock.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using detail::ProgressView;
using detail::RenderBar;
using detail::RenderLine;

// What a terminal would show: control characters applied.
class FakeTerminal {
 public:
  void Take(std::string_view text) {
    ++writes_;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\r') {
        column_ = 0;
      } else if (text[i] == '\n') {
        rows_.emplace_back();
        column_ = 0;
      } else if (text.substr(i, 3) == "\x1b[K") {
        rows_.back().resize(column_);
        i += 2;
      } else {
        if (column_ >= rows_.back().size()) rows_.back().resize(column_ + 1, ' ');
        rows_.back()[column_++] = text[i];
      }
    }
  }
  [[nodiscard]] const std::vector<std::string>& Rows() const { return rows_; }
  [[nodiscard]] int Writes() const { return writes_; }

 private:
  std::vector<std::string> rows_{1};
  std::size_t column_ = 0;
  int writes_ = 0;
};

using Rows = std::vector<std::string>;

class ProgressBarOutput : public testing::Test {
 protected:
  ProgressBarOptions Options(ProgressStyle style) {
    ProgressBarOptions options("files");
    options.style = style;
    options.columns = 80;
    options.clock = &clock_;
    return options;
  }
  ProgressBar::Sink ToScreen() {
    return [this](std::string_view text) { screen_.Take(text); };
  }

  ManualClock clock_;
  FakeTerminal screen_;
};

ProgressView ViewOf(const Progress& progress) {
  return {.label = "files", .progress = progress, .per_second = 20, .elapsed = 12s};
}

// ---- rendering ----

TEST(RenderBar, ShowsAllItKnows) {
  EXPECT_EQ(RenderBar(ViewOf({.done = 420, .failures = 2, .running = 8, .total = 1000}), 79),
            "files [=========>             ] 42% 420/1000 20.0/s ETA 0:29 2 failed 8 running");
}

TEST(RenderBar, LeavesOutWhatIsNotKnown) {
  ProgressView view{.label = {}, .progress = {.done = 7}};
  EXPECT_EQ(RenderBar(view, 79), "7");
  view.progress = {.done = 0, .failures = 0, .running = 3, .total = 10};
  EXPECT_EQ(RenderBar(view, 40), "[>                   ] 0% 0/10 3 running");
}

TEST(RenderBar, SaysAHundredPercentOnlyForAll) {
  EXPECT_EQ(RenderBar(ViewOf({.done = 99'999, .total = 100'000}), 31), "files 99% 99999/100000 ETA 0:01");
  EXPECT_EQ(RenderBar(ViewOf({.done = 100'000, .total = 100'000}), 60),
            "files [==========================] 100% 100000/100000 20.0/s");
}

TEST(RenderBar, TakesATotalThatWasPassedForTheCount) {
  EXPECT_EQ(RenderBar(ViewOf({.done = 12, .total = 10}), 36), "files [==========] 100% 12/12 20.0/s");
}

TEST(RenderBar, FitsEveryWidth) {
  const ProgressView view = ViewOf({.done = 420, .failures = 2, .running = 8, .total = 1000});
  for (std::size_t columns = 0; columns < 200; ++columns) EXPECT_LE(RenderBar(view, columns).size(), columns);
  EXPECT_EQ(RenderBar(view, 60), "files 42% 420/1000 20.0/s ETA 0:29 2 failed 8 running");
  EXPECT_EQ(RenderBar(view, 45), "files 42% 420/1000 20.0/s ETA 0:29 2 failed");
  EXPECT_EQ(RenderBar(view, 40), "files 42% 420/1000 ETA 0:29 2 failed");
  EXPECT_EQ(RenderBar(view, 30), "42% 420/1000 ETA 0:29 2 failed");
  EXPECT_EQ(RenderBar(view, 21), "42% 420/1000 2 failed");
  EXPECT_EQ(RenderBar(view, 17), "420/1000 2 failed");
  EXPECT_EQ(RenderBar(view, 5), "420/1");
}

TEST(RenderBar, CountsCharactersNotBytes) {
  ProgressView view{.label = "\u00e9\u00e9\u00e9", .progress = {.done = 1}};
  EXPECT_EQ(RenderBar(view, 5), "\u00e9\u00e9\u00e9 1");
  EXPECT_EQ(RenderBar(view, 4), "1");
}

TEST(RenderLine, ShowsAllItKnows) {
  EXPECT_EQ(RenderLine(ViewOf({.done = 420, .failures = 2, .running = 8, .total = 1000})),
            "files: 420/1000 (42%), ETA 0:29, 20.0/s, 2 failed, 8 running");
  ProgressView last = ViewOf({.done = 1000, .failures = 2, .running = 0, .total = 1000});
  last.is_final = true;
  last.elapsed = 3723s;
  EXPECT_EQ(RenderLine(last), "files: 1000/1000 (100%), in 1:02:03, 20.0/s, 2 failed");
  EXPECT_EQ(RenderLine({.label = {}, .progress = {.done = 5}}), "5");
}

TEST(RenderLine, SpellsSlowAndFastRates) {
  const auto with_rate = [](double per_second) {
    return RenderLine({.label = {}, .progress = {.done = 1}, .per_second = per_second});
  };
  EXPECT_EQ(with_rate(0.05), "1, 3.0/min");
  EXPECT_EQ(with_rate(1), "1, 1.0/s");
  EXPECT_EQ(with_rate(99.9), "1, 99.9/s");
  EXPECT_EQ(with_rate(123'456.7), "1, 123457/s");
}

TEST(RenderLine, SaysNothingAboutATimeThatIsOutOfSight) {
  EXPECT_EQ(RenderLine({.label = {}, .progress = {.done = 1, .total = ~std::size_t{0}}, .per_second = 1e-9}),
            "1/18446744073709551615 (0%), 0.0/min");
}

TEST(Speed, IsTheAverageAtFirst) {
  detail::Speed speed(ManualClock::kStart);
  EXPECT_EQ(speed.PerSecond(), 0);
  speed.Note(ManualClock::kStart, 5);
  EXPECT_EQ(speed.PerSecond(), 0);
  speed.Note(ManualClock::kStart + 1s, 10);
  EXPECT_DOUBLE_EQ(speed.PerSecond(), 10);
  speed.Note(ManualClock::kStart + 2s, 40);
  EXPECT_DOUBLE_EQ(speed.PerSecond(), 20);
}

TEST(Speed, ForgetsWhatWasLongAgo) {
  detail::Speed speed(ManualClock::kStart);
  std::size_t done = 0;
  for (int second = 1; second <= 1000; ++second) speed.Note(ManualClock::kStart + second * 1s, done += 100);
  EXPECT_NEAR(speed.PerSecond(), 100, 0.1);
  for (int second = 1001; second <= 1060; ++second) speed.Note(ManualClock::kStart + second * 1s, done += 10);
  EXPECT_NEAR(speed.PerSecond(), 10, 1);
  EXPECT_NEAR(speed.Average(ManualClock::kStart + 1060s, done), 94.9, 0.1);
}

// ---- the bar ----

TEST_F(ProgressBarOutput, DrawsOneLineAgainAndAgainOnATerminal) {
  ProgressBar bar(Options(ProgressStyle::Terminal), ToScreen());
  bar.Update({.done = 0, .failures = 0, .running = 8, .total = 100});
  EXPECT_EQ(screen_.Rows(), Rows{"files [>                                       ] 0% 0/100 8 running"});
  clock_.Advance(1s);
  bar.Update({.done = 10, .failures = 1, .running = 8, .total = 100});
  EXPECT_EQ(screen_.Rows(),
            Rows{"files [==>                      ] 10% 10/100 10.0/s ETA 0:09 1 failed 8 running"});
  clock_.Advance(1s);
  bar.Update({.done = 100, .failures = 1, .running = 0, .total = 100});
  bar.Finish();
  EXPECT_EQ(screen_.Rows(),
            (Rows{"files [==================================] 100% 100/100 50.0/s in 0:02 1 failed", ""}));
}

TEST_F(ProgressBarOutput, DrawsNoMoreOftenThanItShould) {
  ProgressBar bar(Options(ProgressStyle::Terminal), ToScreen());
  for (std::size_t i = 0; i < 1000; ++i) {
    bar.Update({.done = i, .total = 1000});
    clock_.Advance(1ms);
  }
  EXPECT_EQ(screen_.Writes(), 10);
}

TEST_F(ProgressBarOutput, PrintsLinesNowAndThenElsewhere) {
  ProgressBar bar(Options(ProgressStyle::Auto), ToScreen());
  for (std::size_t i = 0; i <= 12; ++i) {
    bar.Update({.done = i * 10, .failures = 0, .running = 1, .total = 120});
    if (i < 12) clock_.Advance(1s);
  }
  bar.Finish();
  EXPECT_EQ(screen_.Rows(), (Rows{"files: 50/120 (41%), ETA 0:07, 10.0/s, 1 running",
                                  "files: 100/120 (83%), ETA 0:02, 10.0/s, 1 running",
                                  "files: 120/120 (100%), in 0:12, 10.0/s", ""}));
}

TEST_F(ProgressBarOutput, ShowsTheLastCountsAtTheEnd) {
  {
    ProgressBar bar(Options(ProgressStyle::Lines), ToScreen());
    bar.Update({.done = 1, .total = 3});
    bar.Update({.done = 3, .total = 3});
    bar.Update({.done = 2, .total = 3});  // from a thread that was overtaken
  }
  EXPECT_EQ(screen_.Rows(), (Rows{"files: 3/3 (100%), in 0:00", ""}));
}

TEST_F(ProgressBarOutput, FinishesOnce) {
  ProgressBar bar(Options(ProgressStyle::Lines), ToScreen());
  bar.Update({.done = 1});
  bar.Finish();
  bar.Finish();
  clock_.Advance(1h);
  bar.Update({.done = 2});
  EXPECT_EQ(screen_.Rows(), (Rows{"files: 1, in 0:00", ""}));
}

TEST_F(ProgressBarOutput, SaysNothingWhenNothingWasCounted) {
  ProgressBar bar(Options(ProgressStyle::Terminal), ToScreen());
  bar.Finish();
  EXPECT_EQ(screen_.Writes(), 0);
}

TEST_F(ProgressBarOutput, PrintsMessagesAboveItself) {
  ProgressBar bar(Options(ProgressStyle::Terminal), ToScreen());
  bar.Print("before");
  bar.Update({.done = 1});
  bar.Print("between");
  bar.Finish();
  bar.Print("after");
  EXPECT_EQ(screen_.Rows(), (Rows{"before", "between", "files 1 in 0:00", "after", ""}));
}

TEST_F(ProgressBarOutput, KeepsControlCharactersOfItsLabelToItself) {
  ProgressBarOptions options = Options(ProgressStyle::Lines);
  options.label = "a\nb\x1b[2J";
  ProgressBar bar(std::move(options), ToScreen());
  bar.Update({.done = 1});
  bar.Finish();
  EXPECT_EQ(screen_.Rows()[0], "a?b?[2J: 1, in 0:00");
}

TEST_F(ProgressBarOutput, SurvivesASinkThatThrows) {
  ProgressBar bar(Options(ProgressStyle::Terminal), [](std::string_view) { throw 1; });
  bar.Update({.done = 1});
  bar.Print("lost");
  bar.Finish();
}

TEST_F(ProgressBarOutput, WritesPlainLinesToAFile) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  {
    ProgressBar bar("files", file);
    bar.Update({.done = 4, .total = 4});
    bar.Print("done");
  }
  std::string text(100, '\0');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  EXPECT_EQ(text.substr(0, 23), "done\nfiles: 4/4 (100%),");
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_EQ(text.back(), '\n');
}

TEST_F(ProgressBarOutput, RefusesAnOutputThatIsNone) {
  const auto refusal = [](auto out) -> std::string {
    try {
      const ProgressBar bar({}, std::move(out));
      return "";
    } catch (const ErrorException& exception) {
      EXPECT_EQ(exception.Failure(), Errc::InvalidArgument);
      return exception.Failure().Message();
    }
  };
  EXPECT_EQ(refusal(static_cast<std::FILE*>(nullptr)), "ProgressBar: out is null, must be an open file");
  EXPECT_EQ(refusal(ProgressBar::Sink()), "ProgressBar: the sink is empty");
}

TEST_F(ProgressBarOutput, TakesUpdatesFromManyThreads) {
  ProgressBarOptions options = Options(ProgressStyle::Terminal);
  options.redraw = 0ns;
  std::atomic<std::size_t> done{0};
  {
    ProgressBar bar(std::move(options), ToScreen());
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 1000; ++k) bar.Update({.done = ++done, .total = 4000});
        bar.Print("one");
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  ASSERT_EQ(screen_.Rows().size(), 6U);
  EXPECT_EQ(screen_.Rows()[3], "one");
  EXPECT_EQ(screen_.Rows()[4].substr(screen_.Rows()[4].find(']')), "] 100% 4000/4000 in 0:00");
}

}  // namespace
}  // namespace orchestrate
