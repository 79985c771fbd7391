module;
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

module autotunenet;

import :parameter_name;

namespace autotunenet {

std::optional<std::string> not_among(search_space const& space, std::string_view wanted) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < space.size(); ++i) {
    names.push_back(name_of(space[i]));
    if (means(wanted, names.back())) return std::nullopt;
  }
  return " is not among the parameters" + did_you_mean(wanted, names);
}

}  // namespace autotunenet
