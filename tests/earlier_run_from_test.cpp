#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/folder.hpp"

import autotunenet.journal;

using namespace autotunenet;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

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

TEST_CASE("a horizon that is no whole number is not known") {
  for (auto const* text : {"1e3", "400 steps", "-1", "", "99999999999999999999999"}) {
    journal_contents const read{
        .header = {.space = search_space{real{"lr", 0.1, 1.0}}, .metadata = {{"horizon", text}}}};
    INFO(text);
    CHECK(earlier_run_from(read).horizon == 0);
  }
}
