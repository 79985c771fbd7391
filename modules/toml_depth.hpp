#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

namespace autotunenet {

struct toml_place {
  std::size_t line = 0;
  std::size_t column = 0;
};

/// Where TOML text goes deeper than `limit` brackets, or a dotted key than `limit` parts. toml++ 3.4 limits the first
/// but not the second, and frees what it read recursively, so a long enough key would exhaust the stack.
std::optional<toml_place> too_deep(std::string_view text, std::size_t limit);

}  // namespace autotunenet
