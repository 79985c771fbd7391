#include "json_fields.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace autotunenet {

using nlohmann::json;

std::string shown(json const& value) {
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > 40) text = text.substr(0, 40) + "...";
  return text;
}

json parsed_object(std::string_view line) {
  constexpr int deepest = 4;
  auto const shallow = [](int depth, json::parse_event_t, json&) {
    if (depth > deepest) bad("is nested too deeply");
    return true;
  };
  try {
    json value = json::parse(line, shallow);
    if (!value.is_object()) bad("is {}, not a JSON object", shown(value));
    return value;
  } catch (json::parse_error const& e) {
    bad("is not JSON (column {})", e.byte);
  } catch (json::out_of_range const&) {
    bad("holds a number that is out of range");
  }
}

json const& field(json const& in, char const* key) {
  auto const at = in.find(key);
  if (at == in.end()) bad("has no \"{}\"", key);
  return *at;
}

std::string const& text_at(json const& in, char const* key) {
  json const& value = field(in, key);
  if (!value.is_string()) bad("\"{}\" is {}, not a string", key, shown(value));
  return value.get_ref<std::string const&>();
}

json const& list_at(json const& in, char const* key) {
  json const& value = field(in, key);
  if (!value.is_array()) bad("\"{}\" is {}, not a list", key, shown(value));
  return value;
}

std::uint64_t count_at(json const& in, char const* key) {
  json const& value = field(in, key);
  if (!value.is_number_unsigned()) bad("\"{}\" is {}, not a whole number", key, shown(value));
  return value.get<std::uint64_t>();
}

std::int64_t whole_at(json const& in, char const* key) {
  json const& value = field(in, key);
  constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  bool const fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= largest : value.is_number_integer();
  if (!fits) bad("\"{}\" is {}, not a whole number", key, shown(value));
  return value.get<std::int64_t>();
}

double number(json const& value, std::string_view key) {
  if (value.is_number()) return value.get<double>();
  if (value == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (value == "inf") return std::numeric_limits<double>::infinity();
  if (value == "-inf") return -std::numeric_limits<double>::infinity();
  bad("\"{}\" is {}, not a number", key, shown(value));
}

double number_at(json const& in, char const* key) { return number(field(in, key), key); }

}  // namespace autotunenet
