#include <bit>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <optional>
#include <string>

import autotunenet;

using namespace autotunenet;

TEST_CASE("every event has a name of its own that reads back") {
  std::uint32_t bits = 0;
  for (event const one : all_events) {
    CAPTURE(to_string(one));
    auto const bit = static_cast<std::uint32_t>(one);
    CHECK((bits & bit) == 0);
    bits |= bit;
    CHECK(event_named(to_string(one)) == one);
  }
  CHECK(std::has_single_bit(bits + 1));  // none is left out
  CHECK(to_string(event::clamped | event::not_located) == "several");
  CHECK_FALSE(event_named("rolled_back"));
  CHECK_FALSE(event_named(""));
}

TEST_CASE("every reason, outcome and coverage reads back by its name") {
  for (int i = 0; to_string(static_cast<reason>(i)) != "unknown"; ++i) {
    CHECK(reason_named(to_string(static_cast<reason>(i))) == static_cast<reason>(i));
  }
  CHECK_FALSE(reason_named("unknown"));
  for (outcome const one : {outcome::measured, outcome::failed, outcome::skipped}) {
    CHECK(outcome_named(to_string(one)) == one);
  }
  for (coverage const one : {coverage::unknown, coverage::step, coverage::epoch}) {
    CHECK(coverage_named(to_string(one)) == one);
  }
}

TEST_CASE("several events are described in words") {
  CHECK(describe(event::none).empty());
  CHECK(describe(event::cooldown_began | event::rolled_back) == "rolled back, cooldown began");
  CHECK(describe(event::not_located | event::not_restorable) ==
        "not located, training state cannot be put back (was the model given, and is there room for copies? a "
        "loop without an adapter says so by "
        "observation::restorable)");
  CHECK(describe(event::not_located | event::run_too_short) ==
        "not located, run too short to look for a learning rate");
}
