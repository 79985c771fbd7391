#pragma once
#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <utility>

// Files as the system sees them. What fails is told by its error number; 0: nothing did.
namespace autotunenet {

/// An open file, until it goes out of scope.
class descriptor {
 public:
  descriptor() = default;
  /// False where the file cannot be opened, and `errno` says why. `how` is as `open` takes it.
  descriptor(std::filesystem::path const& file, int how) noexcept;
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~descriptor() { (void)close(); }

  explicit operator bool() const noexcept { return number_ >= 0; }
  int number() const noexcept { return number_; }
  /// Gives the error number, or 0. A file system may report a failed write only now.
  int close() noexcept;

 private:
  int number_ = -1;
};

/// Writes all of it, however many pieces the system makes of that. After an error a part may have been written.
int write_all(int to, std::span<std::byte const> bytes) noexcept;

/// Gives a file the permissions that another has. Where it has them already the system is not asked: some file systems
/// know none.
int set_mode(int file, mode_t mode) noexcept;

/// Keeps other writers away until the descriptor is closed. EWOULDBLOCK: there is one already.
int lock_for_writing(int file) noexcept;

}  // namespace autotunenet
