#include "toml_reading.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <format>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "printable.hpp"

namespace autotunenet {

namespace {

constexpr std::size_t longest_shown = 40;

auto order(toml::source_position place) { return std::tuple(place.line, place.column); }

}  // namespace

std::vector<toml_problems::problem> toml_problems::sorted() && {
  std::ranges::stable_sort(all_, {}, [](problem const& p) { return order(p.place); });
  return std::move(all_);
}

std::vector<toml_entry> in_file_order(toml::table const& table) {
  std::vector<toml_entry> entries;
  for (auto const& [key, value] : table) entries.push_back({&key, &value});
  std::ranges::stable_sort(entries, {}, [](toml_entry const& e) { return order(e.place()); });
  return entries;
}

std::string shown(std::string_view text) { return "\"" + printable(text, longest_shown) + "\""; }

std::string shown(toml::node const& value) {
  if (auto const* text = value.as_string()) return shown(std::string_view(text->get()));
  if (auto const* on = value.as_boolean()) return on->get() ? "true" : "false";
  if (auto const* n = value.as_integer()) return std::format("{}", n->get());
  if (auto const* x = value.as_floating_point()) {
    std::string number = std::format("{}", x->get());
    if (std::isfinite(x->get()) && number.find_first_of(".e") == std::string::npos) number += ".0";
    return number;
  }
  if (auto const* list = value.as_array()) {
    std::string text;
    for (toml::node const& item : *list) {
      if (text.size() > longest_shown) {
        text += ", ...";
        break;
      }
      text += (text.empty() ? "" : ", ") + (item.is_array() ? std::string("[...]") : shown(item));
    }
    return "[" + text + "]";
  }
  return value.is_table() ? "{ ... }" : "the value";
}

std::string_view kind_of(toml::node const& value) {
  switch (value.type()) {
    case toml::node_type::string:
      return "a string";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a real number";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::table:
      return "a table";
    default:
      return "a date or time";
  }
}

}  // namespace autotunenet
