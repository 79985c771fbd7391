#pragma once
#include <cstdint>
#include <format>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

// Reading JSON that nobody vouches for: each access checks what is there, and says what is wrong.
namespace autotunenet {

/// What is wrong with a line, before it is known which.
struct bad_line : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class... Arguments>
[[noreturn]] void bad(std::format_string<Arguments...> what, Arguments&&... arguments) {
  throw bad_line(std::format(what, std::forward<Arguments>(arguments)...));
}

/// A JSON object of bounded depth.
nlohmann::json parsed_object(std::string_view line);

/// A piece of JSON for a message: short, and nothing in it that a terminal might obey.
std::string shown(nlohmann::json const& value);

nlohmann::json const& field(nlohmann::json const& in, char const* key);
std::string const& text_at(nlohmann::json const& in, char const* key);
nlohmann::json const& list_at(nlohmann::json const& in, char const* key);
std::uint64_t count_at(nlohmann::json const& in, char const* key);
std::int64_t whole_at(nlohmann::json const& in, char const* key);
/// A number, or one of the strings "nan", "inf" and "-inf".
double number_at(nlohmann::json const& in, char const* key);
double number(nlohmann::json const& value, std::string_view key);

}  // namespace autotunenet
