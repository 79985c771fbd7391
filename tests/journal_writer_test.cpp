#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/file_size_limit.hpp"
#include "support/folder.hpp"
#include "support/journal_text.hpp"

import autotunenet.journal;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Message;
using Catch::Matchers::MessageMatches;
using test::header;
using test::mixed;
using test::steady;
using test::step;
using test::text_of;
using test::write;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

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
