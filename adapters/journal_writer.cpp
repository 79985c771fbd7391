module;
#include <algorithm>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <format>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "journal_format.hpp"
#include "line_file.hpp"

module autotunenet.journal;

namespace autotunenet {

namespace {

using journal_format::most_listed;
using nlohmann::ordered_json;
constexpr std::size_t longest_header = journal_limits{}.longest_line;

ordered_json described(parameter const& p) {
  if (auto const* kind = std::get_if<categorical>(&p)) {
    ordered_json choices = ordered_json::array();
    for (category const& c : kind->choices) std::visit([&](auto const& value) { choices.push_back(value); }, c);
    return {{"name", kind->name}, {"kind", "categorical"}, {"choices", choices}};
  }
  auto const bounded = [](auto const& kind, char const* what) {
    return ordered_json{{"name", kind.name},
                        {"kind", what},
                        {"min", kind.min},
                        {"max", kind.max},
                        {"scale", kind.spacing == scale::log ? "log" : "linear"}};
  };
  if (auto const* kind = std::get_if<integer>(&p)) return bounded(*kind, "integer");
  return bounded(std::get<real>(p), "real");
}

std::string header_line(search_space const& space, journal_options const& options) {
  ordered_json parameters = ordered_json::array();
  for (std::size_t i = 0; i < space.size(); ++i) parameters.push_back(described(space[i]));
  ordered_json metadata = ordered_json::object();
  for (auto const& [name, value] : options.metadata) metadata[name] = value;
  return ordered_json{{"format", journal_format::name},
                      {"version", journal_format::version},
                      {"space", parameters},
                      {"seed", options.seed},
                      {"metadata", metadata}}
             .dump() +
         "\n";
}

/// A line that is put together by hand, in a buffer that is used again: JSON documents would cost an allocation for
/// every field.
class line_buffer {
 public:
  void clear() noexcept { text_.clear(); }
  std::string_view text() const noexcept { return text_; }
  line_buffer& operator<<(std::string_view part) {
    text_ += part;
    return *this;
  }
  line_buffer& operator<<(std::uint64_t number) {
    char digits[24];
    text_.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
    return *this;
  }
  line_buffer& operator<<(double number) {
    if (std::isnan(number)) return *this << R"("nan")";
    if (std::isinf(number)) return *this << (number > 0.0 ? R"("inf")" : R"("-inf")");
    if (number == 0.0) return *this << (std::signbit(number) ? "-0.0" : "0.0");  // JSON's -0 would lose the sign
    char digits[32];
    text_.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
    return *this;
  }

 private:
  std::string text_;
};

}  // namespace

struct journal::state {
  state(std::filesystem::path const& path, search_space const& of, journal_options const& options)
      : space(of), header(checked_header(path, of, options)), file(path, options.append) {
    if (!file.empty() && !holds_torn_header()) check_same_run(path);
    file.drop_torn_line();
    if (int const why = file.write(header)) {
      file.undo_making();
      throw autotunenet::error(std::format("journal {}: cannot be written: {}", file.name(), std::strerror(why)));
    }
    for (std::size_t i = 0; i < space.size(); ++i) {
      names.push_back(ordered_json(name_of(space[i])).dump() + ":");
      std::vector<std::string>& words = choices.emplace_back();
      if (auto const* kind = std::get_if<categorical>(&space[i])) {
        for (category const& c : kind->choices) {
          words.push_back(std::visit([](auto const& value) { return ordered_json(value).dump(); }, c));
        }
      }
    }
  }

  static std::string checked_header(std::filesystem::path const& path, search_space const& of,
                                    journal_options const& options) {
    for (std::size_t i = 0; i < of.size(); ++i) {
      if (std::max(of.size(), static_cast<std::size_t>(of.is_categorical(i) ? of.count(i) : 0.0)) <= most_listed)
        continue;
      throw invalid_option(std::format("journal {}: holds at most {} parameters, and as many choices of each",
                                       path.string(), most_listed));
    }
    try {
      std::string made = header_line(of, options);
      if (made.size() <= longest_header) return made;
    } catch (nlohmann::json::exception const&) {
      throw invalid_option(std::format("journal {}: names, choices and metadata must be UTF-8", path.string()));
    }
    throw invalid_option(
        std::format("journal {}: search space and metadata need more than {} bytes", path.string(), longest_header));
  }

  // A kill in the first write leaves the beginning of a header, and no more.
  bool holds_torn_header() const {
    auto const alike_in_all = std::string_view(header).substr(0, header.find(R"("space")"));
    return !file.has_line() && alike_in_all.starts_with(file.beginning(alike_in_all.size()));
  }

  void check_same_run(std::filesystem::path const& path) const {
    search_space const before = [&] {
      try {
        return read_journal_header(path).space;
      } catch (journal_error const& e) {
        throw invalid_option(std::format("journal {}: is not a journal to go on with ({})", file.name(), e.what()));
      }
    }();
    if (!(before == space)) {
      throw invalid_option(
          std::format("journal {}: belongs to another search space; choose another name", file.name()));
    }
  }

  void write_values(std::span<double const> values) {
    line << "{";
    for (std::size_t i = 0; i < values.size(); ++i) {
      line << (i > 0 ? "," : "") << names[i];
      if (!space.is_categorical(i))
        line << values[i];
      else if (space.contains(i, values[i]))
        line << choices[i][static_cast<std::size_t>(values[i])];
      else
        line << "null";
    }
    line << "}";
  }

  void write(suggestion const& s, observation const& seen) {
    std::span<double const> const values = s.values.values();
    if (values.size() != space.size() || (!seen.applied.empty() && seen.applied.size() != space.size())) {
      return stop(std::format("a step of {} values in a space of {}", values.size(), space.size()));
    }
    line.clear();
    line << R"({"number":)" << s.number << R"(,"why":")" << to_string(s.why) << R"(","events":[)";
    std::string_view separator = "\"";
    for (event const one : all_events) {
      if (!has(s.events, one)) continue;
      line << separator << to_string(one) << "\"";
      separator = ",\"";
    }
    line << R"(],"suggested":)";
    write_values(values);
    auto const same = [](double a, double b) {
      return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
    };
    if (!seen.applied.empty() && !std::ranges::equal(seen.applied, values, same)) {
      line << R"(,"applied":)";
      write_values(seen.applied);
    }
    auto const elapsed = std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - opened).count();
    line << R"(,"metric":)" << seen.metric << R"(,"result":")" << to_string(seen.result) << R"(","noise":)"
         << seen.noise << R"(,"steps":)" << seen.steps << R"(,"elapsed":)" << static_cast<double>(elapsed) / 1e6;
    if (seen.covers != coverage::unknown) line << R"(,"covers":")" << to_string(seen.covers) << R"(")";
    if (!std::isnan(seen.validation)) line << R"(,"validation":)" << seen.validation;
    line << "}\n";
    if (int const why = file.write(line.text())) return stop(std::strerror(why));
    ++lines;
  }

  void stop(std::string_view why) {
    error = std::format("journal {}: stopped after {} lines: {}", file.name(), lines, why);
  }

  using clock = std::chrono::steady_clock;
  search_space space;
  std::string header;
  line_file file;
  std::vector<std::string> names;                 // with their colons
  std::vector<std::vector<std::string>> choices;  // of each parameter, as JSON
  line_buffer line;
  clock::time_point opened = clock::now();
  std::uint64_t lines = 0;
  std::optional<std::string> error;
};

journal::journal(std::filesystem::path const& file, search_space const& space, journal_options const& options)
    : state_(std::make_unique<state>(file, space, options)) {}
journal::~journal() = default;

void journal::suggested(suggestion const&) {}

void journal::observed(suggestion const& answered, observation const& seen) {
  if (state_->error) return;
  try {
    state_->write(answered, seen);
  } catch (std::exception const& e) {
    try {
      state_->stop(e.what());
    } catch (...) {
      state_->error.emplace();
    }
  }
}

std::optional<std::string> const& journal::error() const noexcept { return state_->error; }
std::uint64_t journal::lines() const noexcept { return state_->lines; }

}  // namespace autotunenet
