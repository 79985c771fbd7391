#include "toml_parameter.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <format>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

import autotunenet;

namespace autotunenet {

namespace {

constexpr std::size_t most_parameters = 1024;
constexpr std::size_t most_choices = 1024;
constexpr std::size_t longest_name = 256;
constexpr std::string_view how_to_write =
    "a range is written { min = 1e-4, max = 0.1 }, categories { choices = [...] }";

class parameter_reader {
 public:
  parameter_reader(toml_entry const& entry, toml_problems& problems)
      : entry_(entry), problems_(problems), label_(std::format("[parameters] {}", label(entry.name()))) {}

  std::optional<toml_parameter> read() {
    std::size_t const before = problems_.count();
    made_.name = entry_.name();
    made_.place = entry_.place();
    if (made_.name.empty() || made_.name.size() > longest_name) {
      complain(made_.place, std::format("a name must have 1 to {} characters", longest_name));
    } else if (auto const* table = entry_.value->as_table()) {
      read_table(*table);
    } else if (auto const* list = entry_.value->as_array()) {
      complain(place(*entry_.value), std::format("{} is a list; {}", shown(*list), spellings(*list)));
    } else {
      complain(place(*entry_.value),
               std::format("{} is {}; {}", shown(*entry_.value), kind_of(*entry_.value), how_to_write));
    }
    if (problems_.count() > before || problems_.full()) return std::nullopt;
    return std::move(made_);
  }

 private:
  // Names of one plain word stand as they are.
  static std::string label(std::string_view name) {
    std::string const text = shown(name);
    bool const plain = text.size() == name.size() + 2 && name.find_first_of("\" .") == std::string_view::npos;
    return plain ? std::string(name) : text;
  }
  static toml::source_position place(toml::node const& value) { return value.source().begin; }
  void complain(toml::source_position where, std::string const& what) {
    problems_.add(where, std::format("{}: {}", label_, what));
  }

  // Both meanings of a list, spelled out.
  static std::string spellings(toml::array const& list) {
    std::string const categories = std::format("categories are written {{ choices = {} }}", shown(list));
    auto const number = [](toml::node const& n) { return n.is_integer() || n.is_floating_point(); };
    if (list.size() != 2 || !number(list[0]) || !number(list[1])) return categories;
    return std::format("a range is written {{ min = {}, max = {} }}, {}", shown(list[0]), shown(list[1]), categories);
  }

  void read_table(toml::table const& table) {
    static constexpr std::array<std::string_view, 5> known{"min", "max", "scale", "type", "choices"};
    for (toml_entry const& e : in_file_order(table)) {
      if (problems_.full()) return;
      if (e.name() == "min")
        min_ = e.value;
      else if (e.name() == "max")
        max_ = e.value;
      else if (e.name() == "scale")
        scale_ = e.value;
      else if (e.name() == "type")
        type_ = e.value;
      else if (e.name() == "choices")
        choices_ = e.value;
      else if (e.value->is_table())
        complain(e.place(), std::format("{} is a table; a name with a dot is written in quotes: \"{}.{}\" = {{ ... }}",
                                        shown(e.name()), short_name(entry_.name()), short_name(e.name())));
      else
        complain(e.place(), std::format("unknown key {}{}", shown(e.name()), did_you_mean(e.name(), known)));
    }
    if (table.empty()) return complain(made_.place, std::format("the table is empty; {}", how_to_write));
    auto const type = word(type_, "type", {"real", "integer", "categorical"});
    auto const scale = word(scale_, "scale", {"linear", "log"});
    made_.logarithmic = scale == 1;
    if (choices_)
      read_choices(type);
    else if (type == 2)
      complain(place(*type_), "type = \"categorical\" needs choices = [...]");
    else if (min_ && max_)
      read_bounds(type);
    else if (min_ || max_)
      complain(made_.place, std::format("{} is missing; {}", min_ ? "max" : "min", how_to_write));
    else if (scale_ || type_)
      complain(made_.place, std::format("min and max are missing; {}", how_to_write));
  }
  static std::string short_name(std::string_view name) {
    std::string const text = shown(name);
    return text.substr(1, text.size() - 2);
  }

  // Which of the words it is; the first where there is none.
  std::size_t word(toml::node const* value, std::string_view key, std::vector<std::string_view> const& words) {
    if (!value) return 0;
    if (auto const* text = value->as_string()) {
      for (std::size_t i = 0; i < words.size(); ++i) {
        if (text->get() == words[i]) return i;
      }
      complain(place(*value),
               std::format("{} = {} is not known{}", key, shown(*value), did_you_mean(text->get(), words)));
    } else {
      std::string list;
      for (std::string_view const w : words) list += std::format("{}\"{}\"", list.empty() ? "" : ", ", w);
      complain(place(*value),
               std::format("{} = {} is {}; allowed: one of {}", key, shown(*value), kind_of(*value), list));
    }
    return 0;
  }

  void read_choices(std::size_t type) {
    toml::node const* stray = min_ ? min_ : max_ ? max_ : scale_;
    if (stray) return complain(place(*stray), "choices have neither min and max nor scale; write one or the other");
    if (type_ && type != 2) return complain(place(*type_), std::format("type = {} has no choices", shown(*type_)));
    auto const* list = choices_->as_array();
    if (!list || list->empty() || list->size() > most_choices) {
      return complain(place(*choices_), std::format("choices = {}; allowed: a list of 1 to {} numbers and words",
                                                    shown(*choices_), most_choices));
    }
    made_.what = toml_parameter::kind::categorical;
    for (toml::node const& item : *list) {
      if (auto const* text = item.as_string())
        made_.choices.emplace_back(text->get());
      else if (auto const number = real_number(item, "a choice"))
        made_.choices.emplace_back(*number);
      else
        return;
    }
  }

  void read_bounds(std::size_t type) {
    bool const both_whole = min_->is_integer() && max_->is_integer();
    if (type_ && type == 1) {
      made_.what = toml_parameter::kind::integer;
      for (auto const& [node, key] : {std::pair{min_, "min"}, std::pair{max_, "max"}}) {
        if (!node->is_integer())
          return complain(place(*node), std::format("{} = {} is {}; with type = \"integer\" allowed: a whole number",
                                                    key, shown(*node), kind_of(*node)));
        if (!real_number(*node, key)) return;
      }
      made_.whole_min = min_->as_integer()->get();
      made_.whole_max = max_->as_integer()->get();
      return;
    }
    if (both_whole && !type_) {
      return complain(
          made_.place,
          std::format("min = {0} and max = {1} are both whole, so say which is meant: type = \"integer\" or "
                      "type = \"real\"",
                      shown(*min_), shown(*max_)));
    }
    auto const low = real_number(*min_, "min");
    auto const high = real_number(*max_, "max");
    made_.min = low.value_or(0.0);
    made_.max = high.value_or(0.0);
  }

  std::optional<double> real_number(toml::node const& value, std::string_view key) {
    if (auto const* x = value.as_floating_point(); x && std::isfinite(x->get())) return x->get();
    if (auto const* n = value.as_integer()) {
      if (n->get() <= largest_whole && n->get() >= -largest_whole) return static_cast<double>(n->get());
      complain(place(value), std::format("{} = {}; allowed: whole numbers within 2^53 of zero", key, shown(value)));
      return std::nullopt;
    }
    bool const number = value.is_floating_point();
    complain(place(value), std::format("{} = {} is {}; allowed: a finite number{}", key, shown(value),
                                       number ? "not finite" : kind_of(value), key == "a choice" ? " or a word" : ""));
    return std::nullopt;
  }

  static constexpr std::int64_t largest_whole = std::int64_t{1} << 53;
  toml_entry const& entry_;
  toml_problems& problems_;
  std::string label_;
  toml_parameter made_;
  toml::node const *min_ = nullptr, *max_ = nullptr, *scale_ = nullptr, *type_ = nullptr, *choices_ = nullptr;
};

}  // namespace

std::vector<toml_parameter> read_toml_parameters(toml::table const& section, toml_problems& problems) {
  std::vector<toml_parameter> made;
  if (section.empty() || section.size() > most_parameters) {
    problems.add(section.source().begin,
                 std::format("[parameters]: holds {} parameters; allowed: 1 to {}", section.size(), most_parameters));
    return made;
  }
  for (toml_entry const& entry : in_file_order(section)) {
    if (problems.full()) break;
    if (auto one = parameter_reader(entry, problems).read()) made.push_back(std::move(*one));
  }
  return made;
}

}  // namespace autotunenet
