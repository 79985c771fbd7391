#pragma once
#include <cstddef>

namespace support {

/// Calls of malloc and its relatives, in all threads, since this object was made: by operator new, by Eigen, by anyone.
/// Under a sanitizer, which brings a malloc of its own, nothing is counted.
class allocation_count {
 public:
  allocation_count() noexcept : start_(total()) {}
  std::size_t since() const noexcept { return total() - start_; }

 private:
  static std::size_t total() noexcept;
  std::size_t start_;
};

}  // namespace support
