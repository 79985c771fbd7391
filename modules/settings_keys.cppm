module;
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

module autotunenet:settings_keys;

import :settings;

namespace autotunenet {

/// Not set, a flag, a whole number or the value of a choice, a number, a word.
using setting_value = std::variant<std::monostate, bool, std::uint64_t, double, std::string>;

enum class setting_kind : std::uint8_t { flag, whole, number, choice, word };

/// A name of a choice's value; the first name of a value is the one that is written.
struct setting_choice {
  std::string_view name;
  std::uint64_t value = 0;
};

struct whole_limits {
  std::uint64_t min = 0;
  std::uint64_t max = 1'000'000'000;
};

struct number_limits {
  std::optional<double> above{};
  std::optional<double> least{};
  std::optional<double> below{};
};

/// One key of the file: reading, checking, writing and documenting all go by this.
struct setting_key {
  std::string_view section;
  std::string_view name;
  setting_kind kind;
  std::string_view meaning;
  setting_value (*get)(settings const&);
  void (*set)(settings&, setting_value const&);
  whole_limits whole{};
  number_limits number{};
  std::span<setting_choice const> choices{};
  std::string (*unset)() = nullptr;  ///< what holds where there is no value; null: there always is one
};

/// In the order of the file's sections.
std::span<setting_key const> setting_keys() noexcept;
/// "a whole number from 1 to 4096"
std::string allowed_text(setting_key const&);
/// As it stands in a file.
std::string written(setting_key const&, setting_value const&);
/// Whether a value of the right kind lies within the limits.
bool within_limits(setting_key const&, setting_value const&) noexcept;

/// A number as TOML writes a float; it reads back exactly.
std::string written(double number);
/// A TOML string.
std::string quoted(std::string_view text);

/// A key of a parameter's table.
struct parameter_key {
  std::string_view name;
  std::string_view allowed;
  std::string_view preset;
  std::string_view meaning;
};
std::span<parameter_key const> parameter_keys() noexcept;

}  // namespace autotunenet
