#pragma once
#include <cstddef>

namespace support {

/// Reads of a clock through the C library, in all threads, since this object was made. Under a sanitizer, which has
/// calls of its own there, nothing is counted.
class clock_reads {
 public:
  clock_reads() noexcept : start_(total()) {}
  std::size_t since() const noexcept { return total() - start_; }
  /// Whether reads are counted in this build.
  static bool counted() noexcept;

 private:
  static std::size_t total() noexcept;
  std::size_t start_;
};

}  // namespace support
