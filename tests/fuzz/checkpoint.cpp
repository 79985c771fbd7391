#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

import autotunenet;

using namespace autotunenet;

/// A checkpoint is refused, or encoding what was read gives the same bytes.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::span<std::byte const> const bytes(reinterpret_cast<std::byte const*>(data), size);
  try {
    checkpoint const read = decode("input", bytes);
    std::vector<std::byte> const again = encode(read.parts());
    if (!std::ranges::equal(again, bytes)) std::abort();
  } catch (checkpoint_error const&) {
  }
  return 0;
}
