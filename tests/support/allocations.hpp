#pragma once
#include <cstddef>

namespace support {

/// Calls of the global operator new, in all threads, since this object was made.
class allocation_count {
 public:
  allocation_count() noexcept : start_(total()) {}
  std::size_t since() const noexcept { return total() - start_; }

 private:
  static std::size_t total() noexcept;
  std::size_t start_;
};

}  // namespace support
