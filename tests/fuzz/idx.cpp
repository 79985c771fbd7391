#include "idx.hpp"

#include <cstddef>
#include <cstdint>

#include "input_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz::input_file const file(data, size);
  for (std::size_t const dimensions : {1U, 3U}) {
    try {
      (void)idx::read(file.path(), dimensions, 1 << 20);
    } catch (idx::error const&) {
    }
  }
  return 0;
}
