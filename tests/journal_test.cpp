#include <array>
#include <bit>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/file_size_limit.hpp"
#include "support/folder.hpp"

import autotunenet.journal;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Message;
using Catch::Matchers::MessageMatches;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

search_space mixed() {
  return {real{"lr", 1e-5, 1e-1, scale::log}, real{"shift", -1.0, 1.0}, integer{"batch", 16, 512},
          categorical{"activation", {"relu", "ta\"nh\n", "nan", 0.5, 3.0}}};
}

std::string text_of(std::filesystem::path const& file) {
  std::ifstream from(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(from), {}};
}

void write(std::filesystem::path const& file, std::string const& text) {
  std::ofstream(file, std::ios::binary) << text;
}

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

suggestions steady(search_space space) {
  suggestion next{.number = 0, .values = space.center()};
  for (;;) {
    ++next.number;
    co_yield next;
  }
}

std::string const header = R"({"format":"autotunenet journal","version":1,"space":[{"name":"lr","kind":"real",)"
                           R"("min":0.1,"max":0.5,"scale":"linear"}],"seed":7,"metadata":{}})"
                           "\n";
std::string const step = R"({"number":1,"why":"start","events":[],"suggested":{"lr":0.2},"metric":0.5,)"
                         R"("result":"measured","noise":0.0,"steps":1,"elapsed":0.25})"
                         "\n";

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

TEST_CASE("a journal's lines are what its contract says") {
  test::folder const place;
  search_space const space{real{"lr", 0.001, 0.1}, categorical{"act", {"relu", "tanh"}}};
  {
    journal written(place / "run.jsonl", space, {.seed = 7, .metadata = {{"model", "mlp"}}});
    suggestion const s{.number = 12,
                       .values = space.at({{"lr", 0.01}, {"act", 1}}),
                       .why = reason::rollback,
                       .events = event::rolled_back | event::cooldown_began};
    std::vector<double> const ran{0.25, 1.0};
    written.observed(s, {.metric = 0.5, .applied = ran, .noise = 0.125, .steps = 20.0});
    written.observed(s, {.metric = not_a_number, .result = outcome::failed});
    written.observed(s, {.metric = 0.5, .validation = 0.75});
    CHECK(written.lines() == 3);
    CHECK_FALSE(written.error());
  }
  std::string const text = text_of(place / "run.jsonl");
  CHECK_THAT(text, Catch::Matchers::StartsWith(
                       R"({"format":"autotunenet journal","version":1,"space":[{"name":"lr","kind":"real","min":0.001,)"
                       R"("max":0.1,"scale":"linear"},{"name":"act","kind":"categorical","choices":["relu","tanh"]}],)"
                       R"("seed":7,"metadata":{"model":"mlp"}})"
                       "\n"));
  CHECK_THAT(
      text, ContainsSubstring(R"({"number":12,"why":"rollback","events":["rolled back","cooldown began"],)"
                              R"("suggested":{"lr":0.01,"act":"tanh"},"applied":{"lr":0.25,"act":"tanh"},"metric":0.5,)"
                              R"("result":"measured","noise":0.125,"steps":20,"elapsed":)"));
  CHECK_THAT(text, ContainsSubstring(R"("suggested":{"lr":0.01,"act":"tanh"},"metric":"nan","result":"failed")"));
  CHECK(text.ends_with(",\"validation\":0.75}\n"));
}

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

TEST_CASE("each line is in the file before training goes on") {
  test::folder const place;
  search_space const space = mixed();
  journal written(place / "j", space);
  suggestions tuning = steady(space) | watch(written);
  for (std::size_t i = 1; i <= 5; ++i) {
    tuning.ask();
    tuning.tell(1.0 / static_cast<double>(i));
    journal_contents const read = read_journal(place / "j");
    REQUIRE(read.entries.size() == i);
    CHECK(read.entries.back().number == i);
    CHECK(read.entries.back().metric == 1.0 / static_cast<double>(i));
  }
}

TEST_CASE("no file comes to be unless a journal is made") {
  test::folder const place;
  auto const here = std::filesystem::current_path();
  std::filesystem::current_path(place.path());
  {
    search_space const space = mixed();
    settings const chosen = parse_settings("[parameters]\nlr = { min = 0.1, max = 0.2 }\n");
    suggestions tuning = steady(*chosen.parameters) | every(2) | smooth() | guard(guard_from(chosen));
    for (int i = 0; i < 100; ++i) {
      tuning.ask();
      tuning.tell(i % 7 == 0 ? not_a_number : 1.0);
    }
    CHECK_THROWS_AS(read_journal("none.jsonl"), journal_error);
  }
  std::filesystem::current_path(here);
  CHECK(std::filesystem::is_empty(place.path()));
}

TEST_CASE("a file that exists is left alone unless asked to go on with it") {
  test::folder const place;
  write(place / "j", "precious\n");
  std::string const name = (place / "j").string();
  CHECK_THROWS_MATCHES(journal(place / "j", mixed()), invalid_option,
                       Message("journal " + name + ": exists; set append to go on with it, or choose another name"));
  CHECK_THROWS_MATCHES(journal(place / "j", mixed(), {.append = true}), invalid_option,
                       MessageMatches(ContainsSubstring("is not a journal to go on with")));
  CHECK(text_of(place / "j") == "precious\n");
  CHECK_THROWS_MATCHES(
      journal(place / "no" / "j", mixed()), error,
      Message("journal " + (place / "no" / "j").string() + ": cannot be opened: No such file or directory"));
}

TEST_CASE("a journal goes on behind what a kill left whole") {
  test::folder const place;
  search_space const space{real{"lr", 0.1, 0.5}};
  write(place / "j", header + step + step.substr(0, 40));
  {
    journal written(place / "j", space, {.append = true, .seed = 8});
    written.observed({.number = 2, .values = space.center()}, {.metric = 0.25});
  }
  journal_contents const read = read_journal(place / "j");
  REQUIRE(read.entries.size() == 2);
  CHECK(read.header.seed == 7);
  CHECK(read.entries[1].metric == 0.25);
  CHECK(read.continued_at == std::vector<std::size_t>{1});
  CHECK_FALSE(read.torn_line);
  CHECK_THROWS_MATCHES(journal(place / "j", mixed(), {.append = true}), invalid_option,
                       MessageMatches(ContainsSubstring("belongs to another search space")));
  journal fresh(place / "new", space, {.append = true});
  CHECK(read_journal(place / "new").entries.empty());
}

TEST_CASE("a journal whose header finds no room leaves no file behind, and can begin once there is room") {
  test::folder const place;
  for (bool const append : {false, true}) {
    INFO("append: " << append);
    for (rlim_t const room : {0, 10}) {
      test::file_size_limit const full(room);
      CHECK_THROWS_MATCHES(journal(place / "j", mixed(), {.append = append}), error,
                           Message("journal " + (place / "j").string() + ": cannot be written: File too large"));
      CHECK_FALSE(std::filesystem::exists(place / "j"));
    }
    CHECK_NOTHROW(journal(place / "j", mixed(), {.append = append}));
    CHECK(read_journal(place / "j").entries.empty());
    std::filesystem::remove(place / "j");
  }
  write(place / "j", header);
  {
    test::file_size_limit const full(header.size() + 10);
    CHECK_THROWS_AS(journal(place / "j", search_space{real{"lr", 0.1, 0.5}}, {.append = true}), error);
  }
  CHECK(text_of(place / "j") == header);
}

TEST_CASE("a journal begins where a kill left a part of its first line, and nothing else is taken for that") {
  test::folder const place;
  search_space const space{real{"lr", 0.1, 0.5}};
  for (std::size_t kept = 0; kept < header.size(); ++kept) {
    write(place / "j", header.substr(0, kept));
    journal(place / "j", space, {.append = true, .seed = 8});
    REQUIRE(read_journal(place / "j").header.seed == 8);
  }
  for (auto const* text : {"precious", "{\"format\":\"my own\"", "\n{\"format\""}) {
    write(place / "j", text);
    CHECK_THROWS_AS(journal(place / "j", space, {.append = true}), invalid_option);
    CHECK(text_of(place / "j") == text);
  }
}

TEST_CASE("two writers of one journal do not mix") {
  test::folder const place;
  journal const first(place / "j", mixed());
  CHECK_THROWS_MATCHES(
      journal(place / "j", mixed(), {.append = true}), error,
      MessageMatches(ContainsSubstring("another journal, of this process or another one, is writing it")));
}

TEST_CASE("a folder in the place of a journal is called one, and left alone") {
  test::folder const place;
  std::filesystem::create_directory(place / "runs");
  for (bool const append : {false, true}) {
    CHECK_THROWS_MATCHES(journal(place / "runs", mixed(), {.append = append}), invalid_option,
                         Message("journal " + (place / "runs").string() + ": is a folder; name a file in it"));
  }
  CHECK(std::filesystem::is_directory(place / "runs"));
}

TEST_CASE("a full disk stops the journal at a whole line, and training goes on") {
  test::folder const place;
  search_space const space = mixed();
  journal written(place / "j", space);
  suggestions tuning = steady(space) | watch(written);

  {
    test::file_size_limit const full(1000);
    for (int i = 0; i < 100; ++i) {
      tuning.ask();
      tuning.tell(0.5);
    }
  }
  CHECK(tuning.ask().number == 101);
  REQUIRE(written.error());
  std::uint64_t const lines = written.lines();
  CHECK(*written.error() ==
        "journal " + (place / "j").string() + ": stopped after " + std::to_string(lines) + " lines: File too large");
  tuning.tell(0.5);  // there would be room again, but a gap would mislead
  CHECK(written.lines() == lines);
  journal_contents const read = read_journal(place / "j");
  CHECK(read.entries.size() == lines);
  CHECK(lines > 0);
  CHECK_FALSE(read.torn_line);
}

TEST_CASE("a device without room is refused when the journal is opened") {
  CHECK_THROWS_MATCHES(journal("/dev/full", mixed(), {.append = true}), error,
                       Message("journal /dev/full: cannot be written: No space left on device"));
}

TEST_CASE("a step of another space stops the journal, not the training") {
  test::folder const place;
  journal written(place / "j", mixed());
  written.observed({}, {.metric = 1.0});
  REQUIRE(written.error());
  CHECK_THAT(*written.error(), ContainsSubstring("a step of 0 values in a space of 4"));
}

TEST_CASE("names that are not UTF-8 are refused before a file is made") {
  test::folder const place;
  CHECK_THROWS_AS(journal(place / "j", search_space{real{"\xff"}}), invalid_option);
  CHECK_THROWS_AS(journal(place / "j", mixed(), {.metadata = {{"a", "\xc3"}}}), invalid_option);
  CHECK(std::filesystem::is_empty(place.path()));
}

TEST_CASE("a search space that could not be read back is refused before a file is made") {
  test::folder const place;
  categorical wide{.name = "x", .choices = {}};
  for (int i = 0; i < 4097; ++i) wide.choices.emplace_back(static_cast<double>(i));
  CHECK_THROWS_MATCHES(journal(place / "j", search_space{wide}), invalid_option,
                       MessageMatches(ContainsSubstring("at most 4096 parameters")));
  wide.choices.pop_back();
  CHECK_NOTHROW(journal(place / "k", search_space{wide}));
  CHECK(read_journal(place / "k").header.space == search_space{wide});
  CHECK_THROWS_AS(journal(place / "j", search_space{real{"x"}}, {.metadata = {{"a", std::string(1 << 20, 'x')}}}),
                  invalid_option);
  CHECK_FALSE(std::filesystem::exists(place / "j"));
}

TEST_CASE("a step allocates nothing once a line of its length was written") {
  test::folder const place;
  search_space const space = mixed();
  journal written(place / "j", space);
  suggestion const s{.number = 1000000, .values = space.center(), .why = reason::range_test, .events = event::clamped};
  std::vector<double> const ran{-1.2345678901234567e-300, 0.1, 100.0, 2.0};
  written.observed(s, {.metric = -1.2345678901234567e-300, .applied = ran, .noise = 1.2345678901234567e-300});
  support::allocation_count const allocations;
  for (int i = 0; i < 100; ++i) written.observed(s, {.metric = 1.0 / (i + 3), .applied = ran});
  CHECK(allocations.since() == 0);
  CHECK_FALSE(written.error());
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

TEST_CASE("a journal is an earlier run to begin from, each step as it ran last") {
  test::folder const place;
  search_space const space{real{"lr", 0.001, 0.1}};
  std::vector<double> const ran{0.05};
  auto const at = [&](std::uint64_t number, double rate) {
    return suggestion{.number = number, .values = space.at({{"lr", rate}}), .why = reason::explore};
  };
  {
    journal written(place / "run.jsonl", space, {.metadata = {{"horizon", "400"}}});
    written.observed(at(1, 0.01), {.metric = 3.0});
    written.observed(
        at(2, 0.02),
        {.metric = 2.0, .applied = ran, .noise = 0.5, .steps = 4.0, .validation = 1.5, .covers = coverage::step});
    written.observed(at(3, 0.03), {.metric = 9.0});
  }
  {
    journal resumed(place / "run.jsonl", space, {.append = true});
    resumed.observed(at(3, 0.04), {.metric = not_a_number, .result = outcome::failed});
  }
  earlier_run const run = earlier_run_from(read_journal(place / "run.jsonl"));
  CHECK(run.horizon == 400);
  CHECK(run.space == space);
  REQUIRE(run.steps.size() == 3);
  CHECK(run.steps[0].applied[0] == 0.01);
  CHECK(run.steps[1].applied[0] == 0.05);
  CHECK(run.steps[1].noise == 0.5);
  CHECK(run.steps[1].steps == 4.0);
  CHECK(run.steps[1].validation == 1.5);
  CHECK(run.steps[1].covers == coverage::step);
  CHECK(run.steps[1].why == reason::explore);
  CHECK(run.steps[2].applied[0] == 0.04);
  CHECK(run.steps[2].result == outcome::failed);
}

TEST_CASE("observers see the same in the given order") {
  test::folder const place;
  search_space const space = mixed();
  journal first(place / "first", space), second(place / "second", space);
  observers both(first, second);
  suggestions tuning = steady(space) | watch(both);
  for (int i = 0; i < 3; ++i) {
    tuning.ask();
    tuning.tell(0.5);
  }
  CHECK(first.lines() == 3);
  CHECK(second.lines() == 3);
}

TEST_CASE("a horizon that is no whole number is not known") {
  for (auto const* text : {"1e3", "400 steps", "-1", "", "99999999999999999999999"}) {
    journal_contents const read{
        .header = {.space = search_space{real{"lr", 0.1, 1.0}}, .metadata = {{"horizon", text}}}};
    INFO(text);
    CHECK(earlier_run_from(read).horizon == 0);
  }
}
