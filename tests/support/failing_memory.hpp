#pragma once
#include <cstddef>

namespace support {

/// Makes memory run out. Belongs into programs of its own: it replaces operator new and delete for the whole program.
struct failing_memory {
  /// From now on allocation number `nth`, counted from 0, and all later ones throw `std::bad_alloc`.
  static void fail_from(std::size_t nth) noexcept;
  /// Memory is back; whether an allocation failed meanwhile.
  static bool end() noexcept;
  /// Blocks that were taken and not given back.
  static std::ptrdiff_t blocks() noexcept;
};

}  // namespace support
