#include "printable.hpp"

#include <cstddef>
#include <format>
#include <string>
#include <string_view>

namespace autotunenet {

namespace {

unsigned byte(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

// Bytes of the character of UTF-8 at the beginning of a text; 0 where there is none.
std::size_t character(std::string_view text) {
  unsigned const first = byte(text, 0);
  if (first < 0x80) return 1;
  std::size_t const size = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (size == 0 || size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(text, i) & 0xc0) != 0x80) return 0;
  }
  // Longer than it need be: another way to write what is shown below as a control character.
  bool const too_long = (first == 0xe0 && byte(text, 1) < 0xa0) || (first == 0xf0 && byte(text, 1) < 0x90);
  return too_long ? 0 : size;
}

bool second_control(std::string_view text) { return byte(text, 0) == 0xc2 && byte(text, 1) < 0xa0; }

}  // namespace

std::string printable(std::string_view text, std::size_t longest) {
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    if (at >= longest) return shown + "...";
    std::string_view const rest = text.substr(at);
    std::size_t const size = character(rest);
    unsigned const first = byte(rest, 0);
    if (size == 0)
      shown += std::format("\\x{:02X}", first);
    else if (size == 1 && (first < 0x20 || first == 0x7f))
      shown += std::format("\\u{:04X}", first);
    else if (size == 2 && second_control(rest))
      shown += std::format("\\u{:04X}", byte(rest, 1));
    else
      shown += rest.substr(0, size);
    at += size == 0 ? 1 : size;
  }
  return shown;
}

}  // namespace autotunenet
