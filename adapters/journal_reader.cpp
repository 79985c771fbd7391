module;
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <format>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include "../modules/printable.hpp"
#include "journal_format.hpp"
#include "json_fields.hpp"

module autotunenet.journal;

namespace autotunenet {

namespace {

using nlohmann::json;

constexpr std::size_t longest_message = 600;

template <class Value>
Value named(json const& in, char const* key, std::optional<Value> (*find)(std::string_view) noexcept) {
  std::string const& name = text_at(in, key);
  std::optional<Value> const value = find(name);
  if (!value) bad("\"{}\" is {}, which is not known", key, shown(field(in, key)));
  return *value;
}

using journal_format::most_listed;

parameter parameter_from(json const& p) {
  if (!p.is_object()) bad("a parameter is {}, not an object", shown(p));
  std::string const& kind = text_at(p, "kind");
  if (kind == "categorical") {
    json const& list = list_at(p, "choices");
    if (list.size() > most_listed) bad("\"choices\" has {} items; allowed: {}", list.size(), most_listed);
    categorical made{.name = text_at(p, "name"), .choices = {}};
    for (json const& choice : list) {
      if (choice.is_string())
        made.choices.emplace_back(choice.get<std::string>());
      else
        made.choices.emplace_back(number(choice, "choices"));
    }
    return made;
  }
  std::string const& spacing = text_at(p, "scale");
  if (spacing != "linear" && spacing != "log") bad("\"scale\" is {}, which is not known", shown(p["scale"]));
  scale const s = spacing == "log" ? scale::log : scale::linear;
  if (kind == "integer") return integer{text_at(p, "name"), whole_at(p, "min"), whole_at(p, "max"), s};
  if (kind != "real") bad("\"kind\" is {}, which is not known", shown(p["kind"]));
  return real{text_at(p, "name"), number_at(p, "min"), number_at(p, "max"), s};
}

bool is_header(json const& line) { return line.contains("format"); }

journal_header header_from(json const& line) {
  if (!is_header(line) || line["format"] != journal_format::name) bad("is not the header of a journal");
  if (std::uint64_t const version = count_at(line, "version"); version != journal_format::version) {
    bad("is of version {}; this library reads version {}", version, journal_format::version);
  }
  json const& list = list_at(line, "space");
  if (list.size() > most_listed) bad("\"space\" has {} parameters; allowed: {}", list.size(), most_listed);
  std::vector<parameter> parameters;
  for (json const& p : list) parameters.push_back(parameter_from(p));
  std::vector<std::pair<std::string, std::string>> metadata;
  json const& pairs = field(line, "metadata");
  if (!pairs.is_object()) bad("\"metadata\" is {}, not an object", shown(pairs));
  for (auto const& [name, value] : pairs.items()) {
    if (!value.is_string()) bad("{} is {}, not a string", shown(name), shown(value));
    metadata.emplace_back(name, value.get_ref<std::string const&>());
  }
  try {
    return {search_space(std::move(parameters)), count_at(line, "seed"), std::move(metadata)};
  } catch (invalid_option const& e) {
    bad("describes no search space: {}", e.what());
  }
}

double value_from(search_space const& space, std::size_t i, json const& value) {
  std::string const& name = name_of(space[i]);
  auto const* kind = std::get_if<categorical>(&space[i]);
  if (!kind) return number(value, name);
  for (std::size_t c = 0; c < kind->choices.size(); ++c) {
    category const& choice = kind->choices[c];
    if (auto const* word = std::get_if<std::string>(&choice)) {
      if (value.is_string() && value.get_ref<std::string const&>() == *word) return static_cast<double>(c);
    } else if (value.is_number() && value.get<double>() == std::get<double>(choice)) {
      return static_cast<double>(c);
    }
  }
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  bad("\"{}\" is {}, which is not among its choices", name, shown(value));
}

std::vector<double> values_from(search_space const& space, json const& in, char const* key) {
  json const& values = field(in, key);
  if (!values.is_object() || values.size() != space.size()) {
    bad("\"{}\" is not an object of the {} parameters", key, space.size());
  }
  std::vector<double> made;
  for (std::size_t i = 0; i < space.size(); ++i) {
    auto const at = values.find(name_of(space[i]));
    if (at == values.end()) bad("\"{}\" has no \"{}\"", key, name_of(space[i]));
    made.push_back(value_from(space, i, *at));
  }
  return made;
}

journal_entry entry_from(search_space const& space, json const& line) {
  journal_entry made;
  made.number = count_at(line, "number");
  made.why = named(line, "why", &reason_named);
  for (json const& name : list_at(line, "events")) {
    auto const one = name.is_string() ? event_named(name.get_ref<std::string const&>()) : std::nullopt;
    if (!one) bad("\"events\" holds {}, which is not known", shown(name));
    made.events |= *one;
  }
  std::vector<double> const suggested = values_from(space, line, "suggested");
  for (std::size_t i = 0; i < suggested.size(); ++i) {
    if (!space.contains(i, suggested[i]))
      bad("\"{}\" was suggested outside its bounds: {}", name_of(space[i]), suggested[i]);
  }
  made.suggested = configuration(space, suggested);
  if (line.contains("applied")) made.applied = values_from(space, line, "applied");
  made.metric = number_at(line, "metric");
  made.result = named(line, "result", &outcome_named);
  made.noise = number_at(line, "noise");
  made.steps = number_at(line, "steps");
  made.elapsed = number_at(line, "elapsed");
  if (line.contains("covers")) made.covers = named(line, "covers", &coverage_named);
  if (line.contains("validation")) made.validation = number_at(line, "validation");
  return made;
}

/// Lines of bounded length.
class line_source {
 public:
  line_source(std::filesystem::path const& file, std::size_t longest) : name_(file.string()), longest_(longest) {
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored)) throw journal_error(name_, 0, "is a folder, not a journal");
    errno = 0;
    from_.open(file, std::ios::binary);
    if (!from_) throw journal_error(name_, 0, std::format("cannot be opened: {}", std::strerror(errno)));
  }

  /// Whether there was another complete line; one without an end is left in `text`.
  bool next() {
    text_.clear();
    ++number_;
    auto* bytes = from_.rdbuf();
    for (int c = bytes->sbumpc(); c != std::char_traits<char>::eof(); c = bytes->sbumpc()) {
      if (c == '\n') return true;
      if (text_.size() == longest_) {
        throw journal_error(name_, number_, std::format("is longer than {} bytes", longest_));
      }
      text_ += static_cast<char>(c);
    }
    return false;
  }
  std::string const& text() const noexcept { return text_; }
  std::size_t number() const noexcept { return number_; }

  template <class Read>
  auto read(Read&& as) const {
    try {
      return as(parsed_object(text_));
    } catch (bad_line const& e) {
      throw journal_error(name_, number_, printable(e.what(), longest_message));
    }
  }
  journal_header header() {
    if (!next()) throw journal_error(name_, 1, "there is no complete header");
    return read(header_from);
  }

 private:
  std::string name_;
  std::size_t longest_;
  std::ifstream from_;
  std::string text_;
  std::size_t number_ = 0;
};

}  // namespace

journal_error::journal_error(std::string const& file, std::size_t line, std::string const& what)
    : error(line == 0 ? std::format("{}: {}", file, what) : std::format("{}:{}: {}", file, line, what)), line_(line) {}

journal_header read_journal_header(std::filesystem::path const& file) {
  return line_source(file, journal_limits{}.longest_line).header();
}

journal_contents read_journal(std::filesystem::path const& file, journal_limits const& limits) {
  line_source lines(file, limits.longest_line);
  journal_contents made{.header = lines.header()};
  search_space const& space = made.header.space;
  while (lines.next()) {
    lines.read([&](json const& line) {
      if (is_header(line)) {
        if (!(header_from(line).space == space)) bad("goes on with another search space");
        made.continued_at.push_back(made.entries.size());
      } else if (made.entries.size() == limits.most_entries) {
        bad("is one more than the {} steps allowed", limits.most_entries);
      } else {
        made.entries.push_back(entry_from(space, line));
      }
    });
  }
  if (!lines.text().empty()) made.torn_line = lines.number();
  return made;
}

}  // namespace autotunenet
