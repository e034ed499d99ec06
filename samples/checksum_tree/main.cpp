// Digests every regular file below a directory, as `find DIR -type f | sort | xargs sha256sum` would, but
// with a limit on open files and on their rate, with retries, with a heartbeat, and with an end that loses
// nothing.
#include <csignal>
#include <cstdio>
#include <exception>

#include "format.hpp"
#include "options.hpp"
#include "output.hpp"
#include "pipeline.hpp"
#include "report.hpp"
#include "walk.hpp"

namespace {

using namespace checksum_tree;
using orchestrate::Errc;
using orchestrate::Error;
using orchestrate::Result;

enum ExitCode : int { kAllDigested = 0, kIncomplete = 1, kUnusable = 2, kInterrupted = 130 };

int Refuse(const Error& error) {
  Say(error.Message());
  return kUnusable;
}

int SayEarlyEnd(const Ending& ending, const Counts& counts, const Options& options) {
  const bool is_interrupted = ending.early.Is(Errc::Cancelled);
  const std::string why = is_interrupted    ? "interrupted"
                          : options.timeout ? "timed out after " + FormatTime(*options.timeout)
                                            : "ended early: " + ending.early.Message();
  Say(why + ": " + std::to_string(counts.digested) + " digested, " + std::to_string(counts.pending) +
      " not digested" + (ending.listed_all ? "" : ", some directories not even listed"));
  return is_interrupted ? kInterrupted : kIncomplete;
}

int Run(const Options& options) {
  if (Error error = CheckDirectory(options.directory)) return Refuse(error);
  Result<Output> output = Output::Open(options.output);
  if (!output) return Refuse(output.Failure());

  Tree tree;
  Pipeline pipeline(options, output->Status(), tree);
  const Ending ending = pipeline.Run();
  const Counts counts = ReportErrors(tree);
  if (Error error = output->Write(tree)) return Refuse(error);

  if (counts.errors > 0) Say(std::to_string(counts.errors) + (counts.errors == 1 ? " error" : " errors"));
  if (counts.pending > 0 || !ending.listed_all) return SayEarlyEnd(ending, counts, options);
  return counts.errors > 0 ? kIncomplete : kAllDigested;
}

}  // namespace

int main(int argc, char** argv) {
  OccupyStandardDescriptors();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is an output that cannot be written
  try {
    const Result<Options> options = ParseOptions(argc, argv);
    if (!options) return Refuse(options.Failure());
    if (options->action == Options::Action::Digest) return Run(*options);
    const std::string help = HelpText();
    return std::fputs(help.c_str(), stdout) < 0 || std::fflush(stdout) != 0 ? kUnusable : kAllDigested;
  } catch (const std::exception& error) {
    Say(error.what());
    return kUnusable;
  }
}
