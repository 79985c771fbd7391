#include "storage_faults.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <optional>

namespace {

using call = support::storage_faults::call;

struct plan {
  std::optional<call> kind;
  int left = 0;
  int error = 0;
  bool happened = false;
  bool dribbling = false;
  bool interrupted = false;
  int calls_to_live = -1;
} now;

bool fails(call kind) {
  if (now.calls_to_live == 0) raise(SIGKILL);
  if (now.calls_to_live > 0) --now.calls_to_live;
  if (now.kind != kind || now.happened || now.left-- > 0) return false;
  now.happened = true;
  errno = now.error;
  return true;
}

template <class Function>
Function* original(char const* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int open(char const* file, int how, ...) {
  std::va_list rest;
  va_start(rest, how);
  mode_t const mode = (how & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (fails(call::open)) return -1;
  return original<int(char const*, int, ...)>("open")(file, how, mode);
}

ssize_t write(int to, void const* data, std::size_t size) {
  if (fails(call::write)) return -1;
  if (now.dribbling && to > 2) {
    now.interrupted = !now.interrupted;
    if (now.interrupted) {
      errno = EINTR;
      return -1;
    }
    size = size > 0 ? 1 : 0;
  }
  return original<ssize_t(int, void const*, std::size_t)>("write")(to, data, size);
}

int flock(int which, int how) noexcept {
  if (fails(call::flock)) return -1;
  return original<int(int, int)>("flock")(which, how);
}

int fsync(int which) {
  if (fails(call::fsync)) return -1;
  return original<int(int)>("fsync")(which);
}

int close(int which) {
  bool const failing = fails(call::close);
  int const error = errno;
  int const result = original<int(int)>("close")(which);
  if (!failing) return result;
  errno = error;
  return -1;
}

int rename(char const* from, char const* to) noexcept {
  if (fails(call::rename)) return -1;
  return original<int(char const*, char const*)>("rename")(from, to);
}

}  // extern "C"

namespace support {

void storage_faults::fail(call kind, int nth, int error) { now = {.kind = kind, .left = nth, .error = error}; }
bool storage_faults::end() {
  bool const happened = now.happened;
  now = {};
  return happened;
}
void storage_faults::dribble(bool on) {
  now = {};
  now.dribbling = on;
}
void storage_faults::die_at(int nth) {
  now = {};
  now.calls_to_live = nth;
}

}  // namespace support
