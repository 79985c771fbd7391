module;
#include <cstddef>
#include <format>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

module autotunenet;

import :log_axis;

namespace autotunenet {

std::optional<std::size_t> log_axis(search_space const& space, std::string const& parameter, std::string_view stage) {
  auto const index = space.find(parameter);
  if (!index) return std::nullopt;
  auto const* kind = std::get_if<real>(&space[*index]);
  if (!kind || kind->spacing != scale::log) {
    throw invalid_option(std::format("{}: parameter \"{}\" must be real and on a log scale", stage, parameter));
  }
  return index;
}

}  // namespace autotunenet
