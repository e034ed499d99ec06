#include "walk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <utility>
#include <vector>

#include "descriptor.hpp"
#include "failure.hpp"

namespace checksum_tree {
namespace {

using orchestrate::Context;
using orchestrate::Error;
using orchestrate::Function;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Error OpenDirectory(const std::string& path, int flags, Directory& directory) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags));
  if (!fd) return LastSystemError();
  directory.reset(::fdopendir(fd.Number()));
  if (!directory) return LastSystemError();
  fd.Release();
  return {};
}

// DT_REG, DT_DIR or another type; asks the file system when the directory does not know.
unsigned char TypeOf(const Directory& directory, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type;
  struct stat status;
  if (::fstatat(::dirfd(directory.get()), entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
  return static_cast<unsigned char>(IFTODT(status.st_mode));
}

bool IsDots(const char* name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

class Walker {
 public:
  Walker(Context& ctx, Tree& tree, Function<void(File&)> found)
      : ctx_(ctx), tree_(tree), found_(std::move(found)) {}

  Error Run(const std::string& root) {
    List(root, 0);
    while (!pending_.empty()) {
      if (Error end = ctx_.Err()) return end;
      const std::string path = std::move(pending_.back());
      pending_.pop_back();
      List(path, O_NOFOLLOW);
    }
    return ctx_.Err();
  }

 private:
  void List(const std::string& path, int flags) {
    Directory directory;
    Error error = OpenPatiently(path, flags, directory);
    if (!error) error = ListOpen(directory, path.ends_with('/') ? path : path + '/');
    if (error) tree_.errors.push_back({path, std::move(error)});
  }

  // Asks for a task only in the rare case: directories are many.
  Error OpenPatiently(const std::string& path, int flags, Directory& directory) {
    Error error = OpenDirectory(path, flags, directory);
    if (!error || !IsTransient(error)) return error;
    const auto task = Retry(ctx_, kPatience, [&] { return error = OpenDirectory(path, flags, directory); });
    return task.Wait() ? error : Error();
  }

  Error ListOpen(const Directory& directory, const std::string& prefix) {
    while (!ctx_.IsDone()) {
      errno = 0;  // readdir() tells the end from an error by nothing else
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) return errno != 0 ? LastSystemError() : Error();
      if (IsDots(entry->d_name)) continue;
      switch (TypeOf(directory, *entry)) {
        case DT_DIR:
          pending_.push_back(prefix + entry->d_name);
          break;
        case DT_REG:
          found_(tree_.files.emplace_back(prefix + entry->d_name));
          break;
        default:
          break;  // links, devices, sockets and FIFOs have no digest
      }
    }
    return {};
  }

  Context& ctx_;
  Tree& tree_;
  Function<void(File&)> found_;
  std::vector<std::string> pending_;  // directories that were found and not listed
};

}  // namespace

Error CheckDirectory(const std::string& path) {
  Directory directory;
  const Error error = OpenDirectory(path, 0, directory);
  return error ? error.WithContext(path) : error;
}

Error Walk(Context& ctx, const std::string& root, Tree& tree, Function<void(File&)> found) {
  return Walker(ctx, tree, std::move(found)).Run(root);
}

}  // namespace checksum_tree
