module;
#include <algorithm>
#include <cstddef>
#include <format>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module autotunenet;

namespace autotunenet {

namespace {

// Insertions, deletions, substitutions and swaps of neighbours ("optimal string alignment"), three rows at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, above);
    std::swap(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t const substitution = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({substitution, above[j] + 1, row[j - 1] + 1});
      bool const swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
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
