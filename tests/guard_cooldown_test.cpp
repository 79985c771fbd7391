#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <vector>

import autotunenet;
import autotunenet.testing;
import support.guarded;

using namespace autotunenet;
using namespace support;

// After a rollback.

TEST_CASE("in cooldown the configuration is held, and regressions do not roll back") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, quiet_nan, 50.0, 50.0, 50.0});
  CHECK(made[5].why == reason::rollback);
  for (std::size_t const i : {6U, 7U}) {
    CHECK(made[i].why == reason::cooldown);
    CHECK(made[i].values == made[5].values);
    CHECK(has(made[i].events, event::regressed));
  }
  CHECK(has(made[8].events, event::cooldown_ended));
  CHECK(made[8].why == reason::explore);
}

TEST_CASE("nothing bad becomes good in a cooldown") {
  for (double const bad : {1e6, 30.0}) {
    auto options = strict();
    options.cooldown = 20;
    auto tuner = climbing() | guard(options);
    auto const made = run(tuner, std::vector{10.0, 9.0, 8.0, 7.0, quiet_nan} + times(15, bad) + std::vector{quiet_nan});
    std::size_t promotions = 0;
    for (std::size_t i = 6; i < made.size(); ++i) promotions += has(made[i].events, event::became_good) ? 1 : 0;
    CHECK(promotions == 0);
    CHECK(made.back().why == reason::back_off);
  }
}

TEST_CASE("NaN acts in a cooldown too") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, quiet_nan, 7.0, quiet_nan});
  CHECK(made[5].why == reason::rollback);
  CHECK(made[6].why == reason::cooldown);
  CHECK(made[7].why == reason::back_off);
  CHECK(has(made[7].events, event::failed));
}

TEST_CASE("without a cooldown the tuner goes on right after a rollback") {
  auto options = strict();
  options.cooldown = 0;
  auto tuner = climbing() | guard(options);
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, quiet_nan, 7.0});
  CHECK(made[5].why == reason::rollback);
  CHECK_FALSE(has(made[5].events, event::cooldown_began));
  CHECK(made[6].why == reason::explore);
}

// Back-off.
