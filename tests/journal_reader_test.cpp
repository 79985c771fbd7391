#include <array>
#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/folder.hpp"
#include "support/journal_text.hpp"

import autotunenet.journal;

using namespace autotunenet;
using test::header;
using test::mixed;
using test::step;
using test::write;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

std::string refusal(std::string const& text, journal_limits const& limits = {}) {
  test::folder const place;
  write(place / "j", text);
  try {
    (void)read_journal(place / "j", limits);
  } catch (journal_error const& error) {
    return std::string(error.what()).substr((place / "j").string().size());
  }
  return "accepted";
}

std::string replaced(std::string text, std::string const& from, std::string const& to) {
  auto const at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("random steps read back exactly as they were") {
  test::folder const place;
  search_space const space = mixed();
  std::mt19937_64 engine(5);
  auto const any_double = [&] {
    std::array const special{0.0,
                             -0.0,
                             not_a_number,
                             infinity,
                             -infinity,
                             5e-324,
                             1.7976931348623157e308,
                             9007199254740993.0,
                             1e22,
                             1e21,
                             123456789012345680000.0,
                             0.1,
                             -1.0};
    if (engine() % 3 == 0) return special[engine() % special.size()];
    return std::bit_cast<double>(engine());
  };
  struct step {
    suggestion said;
    std::vector<double> applied;
    observation seen;
  };
  std::vector<step> steps;
  for (int i = 0; i < 2000; ++i) {
    step s{.said = {.number = engine(), .values = space.center()}, .applied = {}, .seen = {}};
    for (std::size_t p = 0; p < space.size(); ++p) {
      s.said.values.assign(p, space.from_unit(p, static_cast<double>(engine() >> 11) * 0x1p-53));
    }
    s.said.why = static_cast<reason>(engine() % 10);
    s.said.events = static_cast<event>(engine() % 16384);
    if (engine() % 2) s.applied = {any_double(), any_double(), any_double(), static_cast<double>(engine() % 5)};
    s.seen = {.metric = any_double(),
              .result = static_cast<outcome>(engine() % 3),
              .noise = any_double(),
              .steps = any_double(),
              .validation = any_double(),
              .covers = static_cast<coverage>(engine() % 3)};
    steps.push_back(std::move(s));
  }
  using namespace std::string_literals;
  std::vector<std::pair<std::string, std::string>> const metadata{{"", ""}, {"b", "\"\n\x01ü"}, {"c\0d"s, "\0"s}};
  journal written(place / "run.jsonl", space, {.seed = ~std::uint64_t{0}, .metadata = metadata});
  for (step const& s : steps) {
    observation seen = s.seen;
    seen.applied = s.applied;
    written.observed(s.said, seen);
  }
  REQUIRE_FALSE(written.error());

  journal_contents const read = read_journal(place / "run.jsonl");
  CHECK(read.header.space == space);
  CHECK(read.header.seed == ~std::uint64_t{0});
  CHECK(read.header.metadata == metadata);
  CHECK_FALSE(read.torn_line);
  REQUIRE(read.entries.size() == steps.size());
  auto const alike = [](double a, double b) { return same_bits(a, b) || (std::isnan(a) && std::isnan(b)); };
  double before = 0.0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    journal_entry const& e = read.entries[i];
    step const& s = steps[i];
    REQUIRE(e.number == s.said.number);
    REQUIRE(e.why == s.said.why);
    REQUIRE(e.events == s.said.events);
    REQUIRE(e.suggested == s.said.values);
    REQUIRE(e.result == s.seen.result);
    REQUIRE(alike(e.metric, s.seen.metric));
    REQUIRE(alike(e.noise, s.seen.noise));
    REQUIRE(alike(e.steps, s.seen.steps));
    REQUIRE(alike(e.validation, s.seen.validation));
    REQUIRE(e.covers == s.seen.covers);
    REQUIRE(e.elapsed >= before);
    before = e.elapsed;
    REQUIRE(e.applied.size() == s.applied.size());
    for (std::size_t p = 0; p < e.applied.size(); ++p) REQUIRE(alike(e.applied[p], s.applied[p]));
  }
}

TEST_CASE("an applied category that is none of the choices reads back as NaN") {
  test::folder const place;
  search_space const space{categorical{"act", {"relu", "tanh"}}};
  journal written(place / "j", space);
  for (double const index : {0.5, 2.0, -1.0, not_a_number, 1e300}) {
    std::vector<double> const ran{index};
    written.observed({.number = 1, .values = space.center()}, {.metric = 1.0, .applied = ran});
  }
  auto const read = read_journal(place / "j");
  REQUIRE(read.entries.size() == 5);
  for (journal_entry const& e : read.entries) CHECK(std::isnan(e.applied.at(0)));
}

TEST_CASE("a torn last line is dropped and reported") {
  test::folder const place;
  for (std::size_t kept = 1; kept < step.size(); ++kept) {
    write(place / "j", header + step + step.substr(0, kept));
    journal_contents const read = read_journal(place / "j");
    REQUIRE(read.entries.size() == 1);
    REQUIRE(read.torn_line == std::optional<std::size_t>{3});
  }
  CHECK(refusal(header.substr(0, header.size() - 1)) == ":1: there is no complete header");
  CHECK(refusal("") == ":1: there is no complete header");
}

TEST_CASE("a damaged journal is refused with its line and what is wrong") {
  auto const bad_step = [](std::string const& from, std::string const& to) {
    return refusal(header + step + replaced(step, from, to));
  };
  CHECK(refusal(header + step + "{]\n") == ":3: is not JSON (column 2)");
  CHECK(refusal(header + "\n" + step) == ":2: is not JSON (column 1)");
  CHECK(refusal(header + std::string("\0\0\0\n", 4)) == ":2: is not JSON (column 1)");
  CHECK(refusal(header + "[1]\n") == ":2: is a list, not a JSON object");
  CHECK(refusal(step) == ":1: is not the header of a journal");
  CHECK(bad_step("\"number\":1,", "") == ":3: has no \"number\"");
  CHECK(bad_step("\"number\":1", "\"number\":-1") == ":3: \"number\" is -1, not a whole number");
  CHECK(bad_step("\"number\":1", "\"number\":1e400") == ":3: holds a number that is out of range");
  CHECK(bad_step("\"start\"", "\"stop\"") == ":3: \"why\" is \"stop\", which is not known");
  CHECK(bad_step("\"start\"", "3") == ":3: \"why\" is 3, not a string");
  CHECK(bad_step("[]", "[\"bang\"]") == ":3: \"events\" holds \"bang\", which is not known");
  CHECK(bad_step("[]", "{}") == ":3: \"events\" is an object, not a list");
  CHECK(bad_step("0.2}", "0.7}") == ":3: \"lr\" was suggested outside its bounds: 0.7");
  CHECK(bad_step("0.2}", "\"nan\"}") == ":3: \"lr\" was suggested outside its bounds: nan");
  CHECK(bad_step("0.2}", "0.2,\"x\":1}") == ":3: \"suggested\" is not an object of the 1 parameters");
  CHECK(bad_step("\"lr\":0.2", "\"rl\":0.2") == ":3: \"suggested\" has no \"lr\"");
  CHECK(bad_step("0.5", "null") == ":3: \"metric\" is null, not a number");
  CHECK(bad_step("0.5", "\"high\"") == ":3: \"metric\" is \"high\", not a number");
  CHECK(bad_step("\"measured\"", "\"guessed\"") == ":3: \"result\" is \"guessed\", which is not known");
  auto const bad_header = [](std::string const& from, std::string const& to) {
    return refusal(replaced(header, from, to) + step);
  };
  CHECK(bad_header("\"version\":1", "\"version\":2") == ":1: is of version 2; this library reads version 1");
  CHECK(bad_header("\"real\"", "\"complex\"") == ":1: \"kind\" is \"complex\", which is not known");
  CHECK(bad_header("\"linear\"", "\"square\"") == ":1: \"scale\" is \"square\", which is not known");
  CHECK(bad_header("\"min\":0.1", "\"min\":0.9") ==
        ":1: describes no search space: parameter \"lr\": min = 0.9 must be below max = 0.5");
  CHECK(bad_header("{}", "{\"a\":1}") == ":1: \"a\" is 1, not a string");
  CHECK(bad_header("{}", "{\"a\\u0000b\":1}") == ":1: \"a\\u0000b\" is 1, not a string");
  CHECK(refusal(header + replaced(header, "0.5", "0.6")) == ":2: goes on with another search space");
  CHECK(refusal(header + replaced(step, "\"steps\"", "\"future\":[1],\"steps\"")) == "accepted");
}

TEST_CASE("hostile journals are refused within bounds") {
  CHECK(refusal(header + std::string(2000000, '[') + "\n") == ":2: is longer than 1048576 bytes");
  CHECK(refusal(header + std::string(1000000, '[') + "\n") == ":2: is nested too deeply");
  CHECK(refusal(header + step + step, {.most_entries = 1}) == ":3: is one more than the 1 steps allowed");
  CHECK(refusal(header + step, {.longest_line = 64}) == ":1: is longer than 64 bytes");
  std::string many = "{\"k\":1";
  for (int i = 0; i < 80000; ++i) many += ",\"k" + std::to_string(i) + "\":1";
  CHECK(refusal(header + many + "}\n") == ":2: has no \"number\"");
  std::string choices = "[0";
  for (int i = 1; i < 80000; ++i) choices += "," + std::to_string(i);
  CHECK(refusal(replaced(header, "\"kind\":\"real\"", "\"kind\":\"categorical\",\"choices\":" + choices + "]")) ==
        ":1: \"choices\" has 80000 items; allowed: 4096");
  std::string const terminal = refusal(header + replaced(step, "\"start\"", "\"\\u001b[31m\\u009b\""));
  CHECK(terminal.find('\x1b') == std::string::npos);
  CHECK(terminal.find('\x9b') == std::string::npos);
  std::string const name = refusal(replaced(header, "\"name\":\"lr\"", "\"name\":\"\\u001b\\u009b\"") + step);
  CHECK(name == ":2: \"suggested\" has no \"\\u001B\\u009B\"");
  CHECK_THROWS_AS(read_journal("/dev/zero"), journal_error);
  CHECK_THROWS_AS(read_journal("/"), journal_error);
}

TEST_CASE("a journal with any byte damaged is read or refused, never worse") {
  test::folder const place;
  std::mt19937_64 engine(6);
  for (int round = 0; round < 300; ++round) {
    std::string text = header + step + step;
    text[engine() % text.size()] = static_cast<char>(engine());
    write(place / "j", text);
    try {
      (void)read_journal(place / "j");
    } catch (journal_error const&) {
    }
  }
  SUCCEED();
}
