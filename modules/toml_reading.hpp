#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <toml++/toml.hpp>
#include <vector>

namespace autotunenet {

/// What is wrong in a TOML file, up to a number that a person can use.
class toml_problems {
 public:
  struct problem {
    toml::source_position place;
    std::string text;
  };
  static constexpr std::size_t most = 10;

  void add(toml::source_position place, std::string text) {
    if (!full()) all_.push_back({place, std::move(text)});
  }
  bool full() const noexcept { return all_.size() == most; }
  std::size_t count() const noexcept { return all_.size(); }
  /// In the file's order.
  std::vector<problem> sorted() &&;

 private:
  std::vector<problem> all_;
};

struct toml_entry {
  toml::key const* key;
  toml::node const* value;
  std::string_view name() const noexcept { return key->str(); }
  toml::source_position place() const noexcept { return key->source().begin; }
};

/// A table's entries as they stand in the file; toml++ keeps them by name.
std::vector<toml_entry> in_file_order(toml::table const&);

/// Text from a file for a message: in quotes, short, and without anything a terminal might obey.
std::string shown(std::string_view text);
/// A value from a file for a message.
std::string shown(toml::node const&);
/// "a string", "a list"
std::string_view kind_of(toml::node const&);

}  // namespace autotunenet
