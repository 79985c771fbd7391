module;
#include <algorithm>
#include <cstddef>
#include <format>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

module autotunenet;

namespace autotunenet {

namespace {

// Levenshtein's distance, one row at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      std::size_t const substitution = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substitution, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

constexpr std::size_t longest_name = 64;

}  // namespace

std::string did_you_mean(std::string_view given, std::span<std::string_view const> known) {
  if (given.size() <= longest_name && !known.empty()) {
    auto const distance = [&](std::string_view name) { return edit_distance(given, name); };
    std::string_view const nearest = *std::ranges::min_element(known, {}, distance);
    if (distance(nearest) <= std::max<std::size_t>(1, std::max(given.size(), nearest.size()) / 3)) {
      return std::format("; did you mean \"{}\"?", nearest);
    }
  }
  std::string list;
  for (std::string_view const name : known) list += std::format("{}\"{}\"", list.empty() ? "" : ", ", name);
  return std::format("; known: {}", list);
}

}  // namespace autotunenet
