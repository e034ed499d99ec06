#include "output.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "format.hpp"

namespace checksum_tree {
namespace {

using orchestrate::Error;
using orchestrate::Result;

constexpr std::size_t kFlushBytes = 256 * 1024;

Error WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return LastSystemError();
    }
  }
  return {};
}

std::vector<const File*> DigestedByPath(const Tree& tree) {
  std::vector<const File*> files;
  files.reserve(tree.files.size());
  for (const File& file : tree.files) {
    if (file.state == FileState::Digested) files.push_back(&file);
  }
  std::sort(files.begin(), files.end(), [](const File* a, const File* b) { return a->path < b->path; });
  return files;
}

Error WriteTree(int fd, const Tree& tree) {
  std::string text;
  for (const File* file : DigestedByPath(tree)) {
    AppendSumLine(text, *file);
    if (text.size() < kFlushBytes) continue;
    if (Error error = WriteAll(fd, text)) return error;
    text.clear();
  }
  return WriteAll(fd, text);
}

Error WriteAndClose(Descriptor& fd, const Tree& tree) {
  if (Error error = WriteTree(fd.Number(), tree)) return error;
  return ::close(fd.Release()) == 0 ? Error() : LastSystemError();  // network file systems tell only here
}

// Beside its target, because a rename does not cross file systems. open() rather than mkstemp(), for the
// umask.
std::string TemporaryFor(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  return (folder / (".checksum_tree." + std::to_string(::getpid()))).string();
}

Result<Descriptor> CreateExclusively(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!fd) return LastSystemError();
  return fd;
}

// Where the symbolic link `path` leads, so that it stays one.
std::string Resolve(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> target(::realpath(path.c_str(), nullptr), std::free);
  return target ? target.get() : path;
}

}  // namespace

void OccupyStandardDescriptors() {
  int fd;
  do {
    fd = ::open("/dev/null", O_RDONLY);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) ::close(fd);
}

Result<Output> Output::Open(const std::string& path) {
  Output output;
  output.name_ = path == "-" ? "standard output" : path;
  Error error;
  if (path == "-") {
    error = output.OpenStandardOutput();
  } else {
    error = output.OpenFile(path);
  }
  if (!error && output.descriptor_ && ::fstat(output.descriptor_.Number(), &output.status_) != 0) {
    error = LastSystemError();
  }
  if (error) return error.WithContext(output.name_);
  return output;
}

Error Output::OpenStandardOutput() {
  const int flags = ::fcntl(STDOUT_FILENO, F_GETFL);
  if (flags == -1) return LastSystemError();
  if ((flags & O_ACCMODE) == O_RDONLY) return std::make_error_code(std::errc::bad_file_descriptor);
  descriptor_ = Descriptor(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0));
  return descriptor_ ? Error() : LastSystemError();
}

Error Output::OpenFile(const std::string& path) {
  const bool exists = ::stat(path.c_str(), &status_) == 0;
  if (exists && !S_ISREG(status_.st_mode)) {  // a device or a FIFO keeps its place
    descriptor_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    return descriptor_ ? Error() : LastSystemError();
  }
  if (exists && ::access(path.c_str(), W_OK) != 0) return LastSystemError();
  path_ = exists ? Resolve(path) : path;
  const std::string trial = TemporaryFor(path_);
  if (Result<Descriptor> fd = CreateExclusively(trial); !fd) return fd.Failure();
  ::unlink(trial.c_str());  // nothing is left behind should the program be killed
  return {};
}

Error Output::Write(const Tree& tree) {
  const Error error = path_.empty() ? WriteAndClose(descriptor_, tree) : WriteAndRename(tree);
  return error ? error.WithContext(name_) : error;
}

Error Output::WriteAndRename(const Tree& tree) const {
  const std::string temporary = TemporaryFor(path_);
  Result<Descriptor> fd = CreateExclusively(temporary);
  if (!fd) return fd.Failure();
  if (status_.st_ino != 0) (void)::fchmod(fd->Number(), status_.st_mode & 07777);  // as it was
  Error error = WriteAndClose(*fd, tree);
  if (!error && ::rename(temporary.c_str(), path_.c_str()) != 0) error = LastSystemError();
  if (error) ::unlink(temporary.c_str());
  return error;
}

}  // namespace checksum_tree
