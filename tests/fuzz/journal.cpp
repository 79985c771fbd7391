#include <cstddef>
#include <cstdint>

#include "input_file.hpp"

import autotunenet;
import autotunenet.journal;

using namespace autotunenet;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  fuzz::input_file const file(data, size);
  try {
    (void)read_journal(file.path(), {.longest_line = 65536, .most_entries = 1000});
  } catch (journal_error const&) {
  }
  return 0;
}
