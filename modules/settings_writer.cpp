module;
#include <cstddef>
#include <format>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

module autotunenet;

import :settings_keys;

namespace autotunenet {

namespace {

std::string key_text(std::string_view name) {
  constexpr std::string_view bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return name.find_first_not_of(bare) == std::string_view::npos ? std::string(name) : quoted(name);
}

std::string_view scale_text(scale spacing) { return spacing == scale::log ? ", scale = \"log\"" : ""; }

std::string text_of(real const& p) {
  return std::format("{{ min = {}, max = {}{} }}", written(p.min), written(p.max), scale_text(p.spacing));
}
std::string text_of(integer const& p) {
  return std::format("{{ min = {}, max = {}, type = \"integer\"{} }}", p.min, p.max, scale_text(p.spacing));
}
std::string text_of(categorical const& p) {
  std::string list;
  for (category const& choice : p.choices) {
    if (!list.empty()) list += ", ";
    if (auto const* number = std::get_if<double>(&choice))
      list += written(*number);
    else
      list += quoted(std::get<std::string>(choice));
  }
  return std::format("{{ choices = [{}] }}", list);
}

}  // namespace

std::string to_toml(settings const& given) {
  check(given);
  std::string text;
  if (given.parameters) {
    text += "[parameters]\n";
    for (std::size_t i = 0; i < given.parameters->size(); ++i) {
      parameter const& p = (*given.parameters)[i];
      text += key_text(name_of(p)) + " = " + std::visit([](auto const& kind) { return text_of(kind); }, p) + "\n";
    }
  }
  std::string_view section;
  for (setting_key const& key : setting_keys()) {
    setting_value const value = key.get(given);
    if (std::holds_alternative<std::monostate>(value)) continue;
    // A file that names it must have it among the parameters; one that leaves it out need not.
    if (key.name == "learning_rate" && value == key.get(settings{})) continue;
    if (key.section != section) text += std::format("{}[{}]\n", text.empty() ? "" : "\n", key.section);
    section = key.section;
    text += std::format("{} = {}\n", key.name, written(key, value));
  }
  try {
    parse_settings(text, "the settings as a file");
  } catch (settings_error const& error) {
    throw invalid_option(error.what());
  }
  return text;
}

}  // namespace autotunenet
