#pragma once
#include <cstddef>
#include <span>

// Files as the system sees them. What fails is told by its error number; 0: nothing did.
namespace autotunenet {

/// Writes all of it, however many pieces the system makes of that. After an error a part may have been written.
int write_all(int descriptor, std::span<std::byte const> bytes) noexcept;

/// Keeps other writers away until the descriptor is closed. EWOULDBLOCK: there is one already.
int lock_for_writing(int descriptor) noexcept;

}  // namespace autotunenet
