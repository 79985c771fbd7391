module;
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
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

module autotunenet.journal;

namespace autotunenet {

namespace {

using nlohmann::ordered_json;
constexpr std::size_t longest_header = journal_limits{}.longest_line;

/// An open file, and how much of it is whole lines.
class line_file {
 public:
  line_file(std::filesystem::path const& file, search_space const& space, bool append) : name_(file.string()) {
    int const how = append ? O_RDWR : O_WRONLY | O_EXCL;
    descriptor_ = ::open(name_.c_str(), how | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno == EEXIST) {
      throw invalid_option(
          std::format("journal {}: exists; set append to go on with it, or choose another name", name_));
    }
    if (descriptor_ < 0) fail("cannot be opened", errno);
    try {
      if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        throw autotunenet::error(std::format("journal {}: another process is writing it", name_));
      }
      if (append) continue_from(file, space);
    } catch (...) {
      ::close(descriptor_);
      throw;
    }
  }
  line_file(line_file const&) = delete;
  line_file& operator=(line_file const&) = delete;
  ~line_file() { ::close(descriptor_); }

  /// The error number, or 0. After an error what was written of the line is taken back.
  int write(std::string_view line) noexcept {
    std::size_t done = 0;
    while (done < line.size()) {
      ssize_t const wrote = ::write(descriptor_, line.data() + done, line.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) {
        int const why = wrote < 0 ? errno : ENOSPC;
        if (done > 0) (void)!::ftruncate(descriptor_, whole_);
        return why;
      }
      done += static_cast<std::size_t>(wrote);
    }
    whole_ += static_cast<off_t>(line.size());
    return 0;
  }

  std::string const& name() const noexcept { return name_; }

 private:
  [[noreturn]] void fail(std::string_view what, int why) const {
    throw autotunenet::error(std::format("journal {}: {}: {}", name_, what, std::strerror(why)));
  }

  void continue_from(std::filesystem::path const& file, search_space const& space) {
    struct stat status{};
    if (::fstat(descriptor_, &status) != 0) fail("cannot be examined", errno);
    if (!S_ISREG(status.st_mode) || status.st_size == 0) return;
    search_space const before = [&] {
      try {
        return read_journal_header(file).space;
      } catch (journal_error const& e) {
        throw invalid_option(std::format("journal {}: is not a journal to go on with ({})", name_, e.what()));
      }
    }();
    if (!(before == space)) {
      throw invalid_option(std::format("journal {}: belongs to another search space; choose another name", name_));
    }
    whole_ = end_of_lines(status.st_size);
    if (whole_ < status.st_size && ::ftruncate(descriptor_, whole_) != 0) fail("cannot be shortened", errno);
  }

  /// Where the last complete line ends.
  off_t end_of_lines(off_t size) const {
    std::vector<char> block(65536);
    while (size > 0) {
      auto const length = std::min<off_t>(size, static_cast<off_t>(block.size()));
      ssize_t const got = ::pread(descriptor_, block.data(), static_cast<std::size_t>(length), size - length);
      if (got != length) fail("cannot be read", got < 0 ? errno : EIO);
      for (off_t at = length; at > 0; --at) {
        if (block[static_cast<std::size_t>(at - 1)] == '\n') return size - length + at;
      }
      size -= length;
    }
    return 0;
  }

  std::string name_;
  int descriptor_ = -1;
  off_t whole_ = 0;
};

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
      : space(of), header(checked_header(path, of, options)), file(path, of, options.append) {
    if (int const why = file.write(header)) {
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
    try {
      std::string made = header_line(of, options);
      if (made.size() <= longest_header) return made;
    } catch (nlohmann::json::exception const&) {
      throw invalid_option(std::format("journal {}: names, choices and metadata must be UTF-8", path.string()));
    }
    throw invalid_option(
        std::format("journal {}: search space and metadata need more than {} bytes", path.string(), longest_header));
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
         << seen.noise << R"(,"steps":)" << seen.steps << R"(,"elapsed":)" << static_cast<double>(elapsed) / 1e6
         << "}\n";
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
