export module autotunenet:settings_file;

import autotunenet.standard;
import :error;
import :settings;

export namespace autotunenet {

/// A place in a settings file, and what is wrong there. Lines and columns count from 1; 0 stands for the whole file.
struct settings_problem {
  std::size_t line = 0;
  std::size_t column = 0;
  std::string text;
};

/// A settings file that cannot be read or makes no sense. The message has a line for each problem, in the file's order:
/// `file:line:column: [section] key: what was given; what is allowed`.
class settings_error : public invalid_option {
 public:
  settings_error(std::string file, std::vector<settings_problem> problems);
  std::string const& file() const noexcept;
  /// The first ten, never empty.
  std::vector<settings_problem> const& problems() const noexcept;

 private:
  struct report;
  explicit settings_error(std::shared_ptr<report const> made);
  std::shared_ptr<report const> report_;
};

/// Reads settings from TOML text; `name` stands for the file in error messages. Sections and keys come in any order;
/// what is not there has its default; parameters are declared in the order of the text. Throws `settings_error` for
/// everything that does not have its place, its type and its limits, and for text of more than 1 MiB.
/// (Where memory runs out while toml++ parses, toml++ ends the program.)
settings parse_settings(std::string_view text, std::string_view name = "settings");

/// The same from a file.
settings read_settings(std::filesystem::path const& file);

/// Settings, and where their file defines each parameter, in the space's order: what is found to be wrong with one only
/// later, as that an optimizer has no such thing, can still be told with its place.
struct placed_settings {
  settings chosen;
  std::string file;
  struct place {
    std::size_t line;
    std::size_t column;
  };
  std::vector<place> parameters;

  /// Throws `settings_error` with the place where the error speaks of a parameter of the file, as by
  /// `parameter "lr": ...`; returns otherwise.
  void refuse_parameter(invalid_option const&) const;
};
placed_settings read_placed_settings(std::filesystem::path const& file);

/// The settings as a file, every key written out. Reading it gives the same settings. Throws `invalid_option` for
/// settings that `check` refuses, and for names that are not UTF-8.
std::string to_toml(settings const&);

}  // namespace autotunenet
