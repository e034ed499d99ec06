#include "harness.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

namespace bench {
namespace {

struct Entry {
  const char* id;
  const char* variant;
  Sampler (*make)(const Setup&);
};

std::vector<Entry>& Table() {
  static std::vector<Entry> table;
  return table;
}

void List() {
  for (const Entry& entry : Table()) std::printf("%s %s\n", entry.id, *entry.variant ? entry.variant : "-");
}

const Entry* Find(const char* id, const char* variant) {
  for (const Entry& entry : Table()) {
    const char* own = *entry.variant ? entry.variant : "-";
    if (std::strcmp(entry.id, id) == 0 && std::strcmp(own, variant) == 0) return &entry;
  }
  return nullptr;
}

void Print(const Sample& sample, const Setup& setup) {
  if (setup.calls != 0) std::printf("operations %.6g\n", sample.operations);
  for (const Metric& metric : sample.metrics) {
    const char* suffix = metric.suffix.empty() ? "-" : metric.suffix.c_str();
    std::printf("%s %.6g %s %.6g %.6g\n", suffix, metric.value, metric.unit.c_str(), sample.allocs,
                sample.bytes);
  }
  std::puts("end");
  std::fflush(stdout);
}

// One line in, one sample out: the runner alternates between the programs it compares.
int Serve(const Entry& entry, const Setup& setup) {
  const Sampler sampler = entry.make(setup);
  char line[64];
  while (std::fgets(line, sizeof line, stdin) != nullptr) Print(sampler(), setup);
  return 0;
}

int Usage(const char* program) {
  std::fprintf(stderr, "usage: %s --list | --about | ID VARIANT WORKERS MIN_MILLISECONDS [CALLS]\n", program);
  return 2;
}

}  // namespace

void Require(bool is_right, const char* what) {
  if (is_right) return;
  std::fprintf(stderr, "bench: %s gave a wrong result\n", what);
  std::abort();
}

Case::Case(const char* id, const char* variant, Sampler (*make)(const Setup&)) {
  Table().push_back({id, variant, make});
}

int Main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) return List(), 0;
  if (argc == 2 && std::strcmp(argv[1], "--about") == 0) return std::puts(About().c_str()), 0;
  if (argc != 5 && argc != 6) return Usage(argv[0]);
  const Entry* entry = Find(argv[1], argv[2]);
  const int workers = std::atoi(argv[3]);
  const int min_ms = std::atoi(argv[4]);
  const int calls = argc == 6 ? std::atoi(argv[5]) : 0;
  if (entry == nullptr || calls < 0 || workers < 1 || min_ms < 1) return Usage(argv[0]);
  return Serve(*entry, {workers, std::chrono::milliseconds(min_ms), static_cast<std::size_t>(calls)});
}

}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::Main(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
}
