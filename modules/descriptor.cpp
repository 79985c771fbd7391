#include "descriptor.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <span>
#include <utility>

namespace autotunenet {

descriptor::descriptor(std::filesystem::path const& file, int how) noexcept
    : number_(::open(file.c_str(), how | O_CLOEXEC, 0666)) {}

int descriptor::close() noexcept {
  int const open = std::exchange(number_, -1);
  return open >= 0 && ::close(open) != 0 ? errno : 0;
}

int write_all(int to, std::span<std::byte const> bytes) noexcept {
  while (!bytes.empty()) {
    ssize_t const wrote = ::write(to, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return wrote < 0 ? errno : ENOSPC;
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return 0;
}

int set_mode(int file, mode_t mode) noexcept {
  struct stat status = {};
  if (::fstat(file, &status) != 0) return errno;
  if ((status.st_mode & 07777) == mode) return 0;
  return ::fchmod(file, mode) == 0 ? 0 : errno;
}

int lock_for_writing(int file) noexcept { return ::flock(file, LOCK_EX | LOCK_NB) == 0 ? 0 : errno; }

}  // namespace autotunenet
