#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

import autotunenet;

using namespace autotunenet;

/// Settings are refused, or written and read again they are the same.
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  settings read;
  try {
    read = parse_settings({reinterpret_cast<char const*>(data), size});
  } catch (settings_error const&) {
    return 0;
  }
  if (read.parameters && to_toml(parse_settings(to_toml(read))) != to_toml(read)) std::abort();
  return 0;
}
