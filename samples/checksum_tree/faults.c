// Preloaded by test.sh: a file whose name ends in "fails-<count>-<errno>" cannot be opened the first <count> times.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { kFiles = 16, kNameBytes = 256 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
  char name[kNameBytes];
  int attempts;
} files[kFiles];

static int CountAttempt(const char* name) {
  pthread_mutex_lock(&mutex);
  int i = 0;
  while (i < kFiles - 1 && files[i].name[0] != '\0' && strcmp(files[i].name, name) != 0) ++i;
  strncpy(files[i].name, name, kNameBytes - 1);
  const int attempts = ++files[i].attempts;
  pthread_mutex_unlock(&mutex);
  return attempts;
}

int open(const char* path, int flags, ...) {
  const char* name = strstr(path, "fails-");
  int count, code;
  if (name != NULL && sscanf(name, "fails-%d-%d", &count, &code) == 2 && CountAttempt(name) <= count) {
    errno = code;
    return -1;
  }
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  int (*real)(const char*, int, ...) = (int (*)(const char*, int, ...))dlsym(RTLD_NEXT, "open");
  return real(path, flags, mode);
}
