#include "options.hpp"

#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <string_view>

#include <orchestrate/exec/runtime.hpp>

namespace checksum_tree {
namespace {

using orchestrate::Errc;
using orchestrate::Error;
using orchestrate::Result;

constexpr std::size_t kMaxJobs = 1000;
constexpr double kMinRate = 0.01;
constexpr double kMaxRate = 1e6;
constexpr double kMaxTimeoutMs = 365.0 * 24 * 3600 * 1000;

// Reads a number off the front of `text`; none when there is none.
template <class T>
std::optional<T> TakeNumber(std::string_view& text) {
  T number{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

Error Bad(std::string_view option, std::string_view value, std::string_view limit) {
  return {Errc::InvalidArgument,
          std::string(option) + " '" + std::string(value) + "': " + std::string(limit)};
}

Error SetJobs(Options& options, std::string_view value) {
  std::string_view rest = value;
  const auto jobs = TakeNumber<std::size_t>(rest);
  if (!jobs || !rest.empty() || *jobs < 1 || *jobs > kMaxJobs) {
    return Bad("-j", value, "must be a whole number from 1 to " + std::to_string(kMaxJobs));
  }
  options.jobs = *jobs;
  return {};
}

Error SetRate(Options& options, std::string_view value) {
  std::string_view rest = value;
  const auto rate = TakeNumber<double>(rest);
  if (!rate || rest != "/s" || !(*rate >= kMinRate && *rate <= kMaxRate)) {
    return Bad("--rate", value, "must be files per second from 0.01/s to 1000000/s, such as 100/s");
  }
  options.files_per_second = *rate;
  return {};
}

std::optional<double> MillisecondsIn(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit == "s") return 1000;
  if (unit == "m") return 60 * 1000;
  if (unit == "h") return 3600 * 1000;
  return std::nullopt;
}

Error SetTimeout(Options& options, std::string_view value) {
  std::string_view rest = value;
  const auto number = TakeNumber<double>(rest);
  const auto unit = MillisecondsIn(rest);
  const double milliseconds = number.value_or(0) * unit.value_or(0);
  if (!(milliseconds >= 1 && milliseconds <= kMaxTimeoutMs)) {
    return Bad("--timeout", value, "must be a time from 1ms to 8760h in ms, s, m or h, such as 30s");
  }
  options.timeout = std::chrono::milliseconds(std::llround(milliseconds));
  return {};
}

// The option at fault, as the user wrote it: getopt knows only the letter inside a group such as -xj.
std::string Culprit(char** argv) {
  const std::string_view argument = argv[optind - 1];
  if (argument.starts_with("--")) return std::string(argument);
  return {'-', static_cast<char>(optopt)};
}

Error Apply(Options& options, int option, char** argv) {
  switch (option) {
    case 'h':
      options.action = Options::Action::ShowHelp;
      return {};
    case 'j':
      return SetJobs(options, optarg);
    case 'o':
      options.output = optarg;
      return {};
    case 'r':
      return SetRate(options, optarg);
    case 't':
      return SetTimeout(options, optarg);
    case ':':
      return {Errc::InvalidArgument, Culprit(argv) + ": needs a value; see --help"};
    default:
      return {Errc::InvalidArgument, Culprit(argv) + ": no such option; see --help"};
  }
}

}  // namespace

Options::Options() : jobs(std::min(orchestrate::AvailableCpus(), kMaxJobs)) {}

Result<Options> ParseOptions(int argc, char** argv) {
  static constexpr option kLong[] = {{"help", no_argument, nullptr, 'h'},
                                     {"rate", required_argument, nullptr, 'r'},
                                     {"timeout", required_argument, nullptr, 't'},
                                     {nullptr, 0, nullptr, 0}};
  Options options;
  for (int found; (found = getopt_long(argc, argv, ":hj:o:", kLong, nullptr)) != -1;) {
    if (Error error = Apply(options, found, argv)) return error;
    if (options.action == Options::Action::ShowHelp) return options;
  }
  if (argc - optind > 1) return Bad("DIR", argv[optind + 1], "one directory at a time");
  if (optind < argc) options.directory = argv[optind];
  if (options.directory.empty()) return Bad("DIR", "", "must not be empty");
  if (options.output.empty()) return Bad("-o", "", "must not be empty");
  return options;
}

std::string HelpText() {
  return "checksum_tree [DIR] [-j N] [--rate N/s] [--timeout TIME] [-o FILE]\n"
         "Prints the SHA-256 digest of each regular file below DIR, sorted by path, as sha256sum does.\n"
         "\n"
         "  DIR             the directory, default /usr/include; symbolic links below it are not followed\n"
         "  -j N            at most N files open at a time, default " +
         std::to_string(Options().jobs) +
         " (the processors at hand)\n"
         "  --rate N/s      at most N files a second, such as 100/s or 0.5/s\n"
         "  --timeout TIME  end after TIME, such as 500ms, 30s, 5m or 1h; what is done is written\n"
         "  -o FILE         write to FILE, which appears complete or not at all; default - (standard "
         "output)\n"
         "  --help          print this\n"
         "\n"
         "Each second standard error tells how far it is; SIGINT ends it early, and what is done is "
         "written.\n"
         "Exit code: 0 all digested, 1 some files failed or the time ran out, 2 usage or output, 130 "
         "interrupted.\n";
}

}  // namespace checksum_tree
