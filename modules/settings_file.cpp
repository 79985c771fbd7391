module;
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <format>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "toml_depth.hpp"
#include "toml_parameter.hpp"
#include "toml_reading.hpp"

module autotunenet;

import :parameter_name;
import :settings_keys;

namespace autotunenet {

namespace {

constexpr std::size_t largest_file = std::size_t{1} << 20;
constexpr std::size_t deepest = 32;

[[noreturn]] void refuse(std::string_view file, std::string text, std::size_t line = 0, std::size_t column = 0) {
  throw settings_error(std::string(file), {{line, column, std::move(text)}});
}

parameter checked(toml_parameter const& p) {
  scale const spacing = p.logarithmic ? scale::log : scale::linear;
  parameter made = real{p.name, p.min, p.max, spacing};
  if (p.what == toml_parameter::kind::integer) made = integer{p.name, p.whole_min, p.whole_max, spacing};
  if (p.what == toml_parameter::kind::categorical) made = categorical{p.name, {p.choices.begin(), p.choices.end()}};
  (void)search_space{made};
  return made;
}

// The space's own words, without the name, which the place in the file says.
std::string reason_of(invalid_option const& error, std::string const& name) {
  std::string_view text = error.what();
  std::string const prefix = std::format("parameter \"{}\": ", name);
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  return std::string(text);
}

/// One reading of one file.
class settings_reader {
 public:
  settings read(toml::table const& file) {
    for (toml_entry const& section : in_file_order(file)) {
      if (problems_.full()) break;
      read_section(section);
    }
    if (problems_.count() == 0) check_together();
    return std::move(made_);
  }
  toml_problems& problems() noexcept { return problems_; }
  std::vector<placed_settings::place>& parameter_places() noexcept { return parameter_places_; }

 private:
  static constexpr std::string_view sections[] = {"parameters", "tuning", "metrics", "stability"};

  void read_section(toml_entry const& section) {
    bool known = false;
    for (std::string_view const s : sections) known = known || section.name() == s;
    if (!known) {
      bool const table = section.value->is_table();
      std::string const home = table ? std::string() : home_of(section.name(), "");
      problems_.add(section.place(),
                    std::format("{} {}{}", table ? "unknown section" : "key outside of any section:",
                                shown(section.name()), home.empty() ? did_you_mean(section.name(), sections) : home));
      return;
    }
    auto const* table = section.value->as_table();
    if (!table) {
      problems_.add(section.place(), std::format("{} is {}; it is a section: [{}]", section.name(),
                                                 kind_of(*section.value), section.name()));
    } else if (section.name() == "parameters") {
      read_space(*table);
    } else {
      for (toml_entry const& entry : in_file_order(*table)) {
        if (problems_.full()) return;
        read_key(section.name(), entry);
      }
    }
  }

  void read_space(toml::table const& section) {
    std::vector<parameter> all;
    for (toml_parameter const& p : read_toml_parameters(section, problems_)) {
      try {
        all.push_back(checked(p));
        parameter_places_.push_back({p.place.line, p.place.column});
      } catch (invalid_option const& error) {
        problems_.add(p.place, std::format("[parameters] {}: {}", p.name, reason_of(error, p.name)));
      }
    }
    if (problems_.count() == 0) made_.parameters.emplace(std::move(all));
  }

  void read_key(std::string_view section, toml_entry const& entry) {
    std::vector<std::string_view> names;
    for (setting_key const& key : setting_keys()) {
      if (key.section != section) continue;
      if (key.name == entry.name()) return read_value(key, entry);
      names.push_back(key.name);
    }
    std::string const home = home_of(entry.name(), section);
    problems_.add(entry.place(), std::format("[{}] {}: unknown key{}", section, shown(entry.name()),
                                             home.empty() ? did_you_mean(entry.name(), names) : home));
  }

  // Where a key that stands in the wrong place belongs.
  static std::string home_of(std::string_view name, std::string_view except) {
    for (setting_key const& key : setting_keys()) {
      if (key.name == name && key.section != except) return std::format("; it belongs to [{}]", key.section);
    }
    return {};
  }

  void read_value(setting_key const& key, toml_entry const& entry) {
    auto const value = value_of(key, *entry.value);
    if (value && within_limits(key, *value)) {
      key.set(made_, *value);
      places_.emplace_back(&key, entry.place());
      return;
    }
    std::string why =
        std::format("{} is {}; allowed: {}", shown(*entry.value), kind_of(*entry.value), allowed_text(key));
    if (value || (key.kind == setting_kind::whole && entry.value->is_integer()))
      why = std::format("{} is not allowed; allowed: {}", shown(*entry.value), allowed_text(key));
    else if (key.kind == setting_kind::choice && entry.value->is_string())
      why = std::format("{} is not known{}", shown(*entry.value), nearest_choice(key, entry.value->as_string()->get()));
    problems_.add(entry.value->source().begin, std::format("[{}] {}: {}", key.section, key.name, why));
  }

  static std::optional<setting_value> value_of(setting_key const& key, toml::node const& from) {
    switch (key.kind) {
      case setting_kind::flag:
        if (auto const* on = from.as_boolean()) return on->get();
        break;
      case setting_kind::whole:
        if (auto const* n = from.as_integer(); n && n->get() >= 0) return static_cast<std::uint64_t>(n->get());
        break;
      case setting_kind::number:
        if (auto const* x = from.as_floating_point()) return x->get();
        if (auto const* n = from.as_integer()) return static_cast<double>(n->get());
        break;
      case setting_kind::word:
        if (auto const* text = from.as_string()) return text->get();
        break;
      case setting_kind::choice:
        if (auto const* text = from.as_string()) {
          for (setting_choice const& c : key.choices) {
            if (c.name == text->get()) return c.value;
          }
        }
        break;
    }
    return std::nullopt;
  }

  static std::string nearest_choice(setting_key const& key, std::string_view given) {
    std::vector<std::string_view> names;
    for (setting_choice const& c : key.choices) names.push_back(c.name);
    return did_you_mean(given, names);
  }

  /// What only makes sense, or does not, beside other keys.
  void check_together() {
    try {
      check(made_);
    } catch (invalid_option const& error) {
      std::string_view const text = error.what();
      problems_.add(place_of(text.find("warmup_epochs:") < text.size() ? "warmup_epochs" : "warmup_steps"),
                    std::string(text));
    }
    toml::source_position const named = place_of("learning_rate");
    if (!named.line || !made_.parameters) return;
    std::string const& wanted = made_.tuning.learning_rate;
    if (auto const missing = not_among(*made_.parameters, wanted))
      problems_.add(named, std::format("[tuning] learning_rate: {}{}", shown(std::string_view(wanted)), *missing));
  }

  toml::source_position place_of(std::string_view key) const {
    for (auto const& [known, place] : places_) {
      if (known->section == "tuning" && known->name == key) return place;
    }
    return {};
  }

  settings made_;
  toml_problems problems_;
  std::vector<std::pair<setting_key const*, toml::source_position>> places_;
  std::vector<placed_settings::place> parameter_places_;
};

placed_settings parse(std::string_view text, std::string_view name) {
  if (text.size() > largest_file) {
    refuse(name, std::format("is too large: {} bytes; allowed: at most {}", text.size(), largest_file));
  }
  if (auto const place = too_deep(text, deepest)) {
    refuse(name, std::format("is nested too deeply; allowed: {} levels", deepest), place->line, place->column);
  }
  settings_reader reader;
  settings made;
  try {
    made = reader.read(toml::parse(text));
  } catch (toml::parse_error const& error) {
    refuse(name, std::string(error.description()), error.source().begin.line, error.source().begin.column);
  }
  if (reader.problems().count() > 0) {
    std::vector<settings_problem> found;
    for (auto& p : std::move(reader.problems()).sorted())
      found.push_back({p.place.line, p.place.column, std::move(p.text)});
    throw settings_error(std::string(name), std::move(found));
  }
  return {std::move(made), std::string(name), std::move(reader.parameter_places())};
}

}  // namespace

settings parse_settings(std::string_view text, std::string_view name) { return parse(text, name).chosen; }

settings read_settings(std::filesystem::path const& file) { return read_placed_settings(file).chosen; }

placed_settings read_placed_settings(std::filesystem::path const& file) {
  std::string const name = file.string();
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) refuse(name, "is a folder, not a settings file");
  errno = 0;
  std::ifstream from(file, std::ios::binary);
  if (!from) refuse(name, std::format("cannot be opened: {}", std::strerror(errno)));
  std::string text(largest_file + 1, '\0');
  from.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (from.bad()) refuse(name, std::format("cannot be read: {}", std::strerror(errno)));
  text.resize(static_cast<std::size_t>(from.gcount()));
  if (text.size() > largest_file) refuse(name, std::format("is too large; allowed: at most {} bytes", largest_file));
  return parse(text, name);
}

void placed_settings::refuse_parameter(invalid_option const& error) const {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    std::string const& name = name_of((*chosen.parameters)[i]);
    std::string const reason = reason_of(error, name);
    if (reason == error.what()) continue;
    refuse(file, std::format("[parameters] {}: {}", name, reason), parameters[i].line, parameters[i].column);
  }
}

}  // namespace autotunenet
