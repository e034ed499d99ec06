#include "digest.hpp"

#include <fcntl.h>
#include <openssl/evp.h>

#include <memory>
#include <new>

#include "descriptor.hpp"
#include "failure.hpp"

namespace checksum_tree {
namespace {

using orchestrate::Context;
using orchestrate::Errc;
using orchestrate::Error;

constexpr std::size_t kBufferBytes = 128 * 1024;

// What a thread needs to digest one file after the other: fetching the algorithm and making a context cost
// more than digesting a small file.
class Hasher {
 public:
  Hasher() : algorithm_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
    if (!algorithm_ || !context_) throw std::bad_alloc();
  }

  bool Begin() { return EVP_DigestInit_ex2(context_.get(), algorithm_.get(), nullptr) == 1; }
  bool Add(std::size_t bytes) { return EVP_DigestUpdate(context_.get(), buffer_.get(), bytes) == 1; }
  bool End(unsigned char* digest) { return EVP_DigestFinal_ex(context_.get(), digest, nullptr) == 1; }
  unsigned char* Buffer() { return buffer_.get(); }

 private:
  template <auto Free>
  struct Deleter {
    template <class T>
    void operator()(T* object) const {
      Free(object);
    }
  };
  std::unique_ptr<EVP_MD, Deleter<EVP_MD_free>> algorithm_;
  std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>> context_;
  std::unique_ptr<unsigned char[]> buffer_{new unsigned char[kBufferBytes]};
};

Error CryptoError() { return {Errc::NotSupported, "OpenSSL failed to compute SHA-256"}; }

ssize_t ReadSome(int fd, unsigned char* buffer) {
  ssize_t got;
  do {
    got = ::read(fd, buffer, kBufferBytes);
  } while (got < 0 && errno == EINTR);
  return got;
}

Error DigestContent(const Context& ctx, int fd, File& file, Traffic& traffic) {
  thread_local Hasher hasher;
  if (!hasher.Begin()) return CryptoError();
  for (ssize_t got; (got = ReadSome(fd, hasher.Buffer())) != 0;) {
    if (got < 0) return LastSystemError();
    if (!hasher.Add(static_cast<std::size_t>(got))) return CryptoError();
    traffic.bytes.fetch_add(static_cast<std::uint64_t>(got), std::memory_order_relaxed);
    if (Error end = ctx.Err()) return end;
  }
  if (!hasher.End(file.digest.data())) return CryptoError();
  traffic.files.fetch_add(1, std::memory_order_relaxed);
  return {};
}

bool IsSameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

Error Attempt(const Context& ctx, File& file, const struct stat& output, Traffic& traffic) {
  // What the walk saw may have become something else: not to follow, not to wait for a FIFO's other end.
  const Descriptor fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return LastSystemError();
  struct stat status;
  if (::fstat(fd.Number(), &status) != 0) return LastSystemError();
  if (!S_ISREG(status.st_mode) || IsSameFile(status, output)) {
    file.state = FileState::Skipped;
    return {};
  }
  if (status.st_size > static_cast<off_t>(kBufferBytes)) {
    (void)::posix_fadvise(fd.Number(), 0, 0, POSIX_FADV_SEQUENTIAL);  // advice only
  }
  if (Error error = DigestContent(ctx, fd.Number(), file, traffic)) return error;
  file.state = FileState::Digested;
  return {};
}

}  // namespace

Error DigestFile(const Context& ctx, File& file, const struct stat& output, Traffic& traffic) {
  Error error = Attempt(ctx, file, output, traffic);
  if (error && !ctx.IsDone()) {
    file.error = error;
    file.state = FileState::Failed;
  }
  return error;
}

}  // namespace checksum_tree
