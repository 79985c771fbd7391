#include "toml_depth.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace autotunenet {

namespace {

/// The end of the string that begins at `at`: one past its closing quotes, or of the text. What is wrong with a string
/// ends the parser's work, so nothing behind it matters.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  char const quote = text[at];
  std::string_view const rest = text.substr(at);
  bool const multiline = rest.size() >= 3 && rest[1] == quote && rest[2] == quote;
  at += multiline ? 3 : 1;
  for (; at < text.size(); ++at) {
    if (text[at] == '\\' && quote == '"') {
      ++at;
    } else if (text[at] == quote) {
      if (!multiline) return at + 1;
      std::size_t quotes = 1;
      while (quotes < 5 && at + quotes < text.size() && text[at + quotes] == quote) ++quotes;
      if (quotes >= 3) return at + quotes;  // two quotes may stand before the closing three
      at += quotes - 1;
    } else if (text[at] == '\n' && !multiline) {
      return at;
    }
  }
  return text.size();
}

}  // namespace

std::optional<toml_place> too_deep(std::string_view text, std::size_t limit) {
  std::size_t line = 1, line_start = 0, brackets = 0, dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    switch (text[at]) {
      case '\n':
        ++line;
        line_start = at + 1;
        dots = 0;
        break;
      case '#':
        while (at + 1 < text.size() && text[at + 1] != '\n') ++at;
        break;
      case '"':
      case '\'': {
        std::size_t const end = end_of_string(text, at);
        for (; at < end; ++at) {
          if (text[at] != '\n') continue;
          ++line;
          line_start = at + 1;
        }
        continue;
      }
      case '[':
      case '{':
        ++brackets;
        dots = 0;
        break;
      case ']':
      case '}':
        if (brackets > 0) --brackets;
        break;
      case '=':
      case ',':
        dots = 0;
        break;
      case '.':
        ++dots;
        break;
      default:
        break;
    }
    if (brackets > limit || dots >= limit) return toml_place{line, at - line_start + 1};
    ++at;
  }
  return std::nullopt;
}

}  // namespace autotunenet
