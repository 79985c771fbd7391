#include "descriptor.hpp"

#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>

namespace autotunenet {

int write_all(int descriptor, std::span<std::byte const> bytes) noexcept {
  while (!bytes.empty()) {
    ssize_t const wrote = ::write(descriptor, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return wrote < 0 ? errno : ENOSPC;
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return 0;
}

int lock_for_writing(int descriptor) noexcept { return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno; }

}  // namespace autotunenet
