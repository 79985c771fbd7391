module;
#include <cstddef>
#include <format>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

module autotunenet;

import :parameter_name;

namespace autotunenet {

std::string unknown_name(search_space const& space, std::string_view wanted) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < space.size(); ++i) names.push_back(name_of(space[i]));
  return " is not among the parameters" + did_you_mean(wanted, names);
}

std::optional<std::string> not_among(search_space const& space, std::string_view wanted) {
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (means(wanted, name_of(space[i]))) return std::nullopt;
  }
  return unknown_name(space, wanted);
}

void check_name(search_space const& space, std::string_view wanted, std::string_view stage, std::string_view key) {
  if (wanted == usual_rate) return;
  if (auto const missing = not_among(space, wanted))
    throw invalid_option(std::format("{}: {} = \"{}\"{}", stage, key, wanted, *missing));
}

}  // namespace autotunenet
