#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "toml_reading.hpp"

namespace autotunenet {

/// One entry of [parameters], its form checked and its bounds not yet.
struct toml_parameter {
  enum class kind : std::uint8_t { real, integer, categorical };

  std::string name;
  toml::source_position place;
  kind what = kind::real;
  double min = 0.0;
  double max = 0.0;
  std::int64_t whole_min = 0;
  std::int64_t whole_max = 0;
  bool logarithmic = false;
  std::vector<std::variant<double, std::string>> choices;
};

/// The entries of [parameters] that have a form, in the file's order; what is wrong with the others goes to `problems`.
std::vector<toml_parameter> read_toml_parameters(toml::table const& section, toml_problems& problems);

}  // namespace autotunenet
