#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <cstddef>
#include <vector>

import autotunenet;
import autotunenet.testing;
import support.guarded;

using namespace autotunenet;
using namespace support;
using Catch::Matchers::WithinRel;

// Lower values, where a rollback has no target or does not help.

TEST_CASE("with nothing good known the guard backs off, further each time, and never below the bounds") {
  auto tuner = climbing() | guard({.back_off = 0.1});
  auto const made = run(tuner, times(6, quiet_nan));
  CHECK_THAT(made[1].values["lr"], WithinRel(1e-4, 1e-12));
  CHECK_THAT(made[2].values["lr"], WithinRel(1e-5, 1e-12));
  CHECK(made[6].values["lr"] == 1e-5);
  CHECK(made[6].why == reason::back_off);
  CHECK(has(made[6].events, event::backed_off));
}

TEST_CASE("back-offs that do not help grow, so that no start is too many halvings away") {
  auto tuner = scripted(search_space{real{"lr", 1e-12, 100.0, scale::log}}.at({{"lr", 100.0}}), [](suggestion&) {}) |
               guard({.cooldown = 0});
  auto const made = run(tuner, times(8, quiet_nan));
  double expected = 100.0;
  std::size_t const halvings[] = {1, 1, 1, 2, 4, 8, 8};
  for (std::size_t i = 0; i < std::size(halvings); ++i) {
    expected *= std::pow(0.5, halvings[i]);
    CHECK_THAT(made[i + 1].values["lr"], WithinRel(expected, 1e-12));
  }
}

TEST_CASE("each back-off goes further than the last, wherever the tuner went in between") {
  auto tuner = climbing() | guard({.cooldown = 0});
  auto const made = run(tuner, {quiet_nan, 1.0, 1.0, 1.0, quiet_nan});
  CHECK(made[1].values["lr"] == 0.5e-3);
  REQUIRE(made[4].values["lr"] > 0.5e-3);
  CHECK(made[5].values["lr"] == 0.25e-3);
  auto falling = scripted(start(),
                          [](suggestion& next) {
                            next.why = reason::explore;
                            next.values.assign(0, 1e-5);
                          }) |
                 guard({.max_delta = 100.0, .cooldown = 0});
  auto const lower = run(falling, {1.0, quiet_nan, 1.0, quiet_nan});
  CHECK(lower[4].values["lr"] == 1e-5);
}

TEST_CASE("when training suffers again before anything new became good, the guard backs off from the good one") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, quiet_nan, quiet_nan, quiet_nan});
  CHECK(made[5].why == reason::rollback);
  CHECK(made[6].why == reason::back_off);
  CHECK(made[6].values["lr"] == 0.5 * made[5].values["lr"]);
  CHECK(made[7].values["lr"] == 0.25 * made[5].values["lr"]);
}

TEST_CASE("once something new became good, the guard rolls back again") {
  auto tuner = climbing() | guard(strict());
  auto const made = run(tuner, {10.0, 9.0, 8.0, 7.0, quiet_nan, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, quiet_nan});
  CHECK(made[5].why == reason::rollback);
  CHECK(made[12].why == reason::rollback);
}

TEST_CASE("a regression that comes again before training has come further is met with lower values") {
  auto const second_remedy = [](double reached, std::vector<double> const& trouble) {
    auto tuner = climbing() | guard(strict());
    auto const made = run(tuner, std::vector{10.0, 9.0, 8.0, 7.0, 50.0, 50.0} + times(8, reached) + trouble);
    REQUIRE(made[6].why == reason::rollback);
    REQUIRE(count(made, event::became_good) >= 2);
    return made.back();
  };
  suggestion const again = second_remedy(7.1, {50.0, 50.0});
  CHECK(again.why == reason::back_off);
  CHECK(again.values["lr"] == 0.5 * start()["lr"]);
  CHECK(second_remedy(7.0, {50.0, 50.0}).why == reason::rollback);
  CHECK(second_remedy(7.1, {quiet_nan}).why == reason::rollback);  // may have any cause
}

TEST_CASE("back-off finds a parameter in a group by its own name, and others by option") {
  search_space const groups{real{"encoder.lr", 1e-4, 1e-1, scale::log}, real{"sublr", 1e-4, 1e-1, scale::log},
                            real{"temperature", 1.0, 5.0}};
  configuration const values = groups.at({{"encoder.lr", 0.01}, {"sublr", 0.01}, {"temperature", 3.0}});
  auto by_default = steady(values) | guard();
  auto const made = run(by_default, {quiet_nan});
  CHECK(made[1].values["encoder.lr"] == 0.005);
  CHECK(made[1].values["sublr"] == values["sublr"]);
  CHECK(made[1].values["temperature"] == 3.0);
  auto by_name = steady(values) | guard({.safety = {"temperature"}});
  auto const named = run(by_name, {quiet_nan});
  CHECK(named[1].values["encoder.lr"] == values["encoder.lr"]);
  CHECK(named[1].values["temperature"] == 2.0);
}

TEST_CASE("a space without a parameter known to be safer when smaller backs off towards its middle") {
  search_space const other{real{"momentum", 0.0, 1.0}, categorical{"kind", {"a", "b"}}};
  auto tuner = steady(other.at({{"momentum", 0.9}, {"kind", 1}})) | guard();
  auto const made = run(tuner, {quiet_nan, quiet_nan});
  CHECK_THAT(made[1].values["momentum"], WithinRel(0.7, 1e-12));
  CHECK_THAT(made[2].values["momentum"], WithinRel(0.6, 1e-12));
  CHECK(made[2].values.chosen("kind") == category{"b"});
}

// Data that shifts.

TEST_CASE("after an outage of the metric the values are the good ones again, and that is told inwards") {
  support::log told;
  auto tuner = scripted(start(), [](suggestion& next) { next.why = reason::hold; }, &told) | guard(strict());
  auto const tell = [&](double metric) {
    tuner.ask();
    tuner.tell({.metric = metric, .restorable = true});
  };
  for (int step = 0; step < 10; ++step) tell(10.0 - 0.1 * step);
  for (int step = 0; step < 20; ++step) tell(quiet_nan);
  CHECK(tuner.ask().values["lr"] < 1e-4);
  tell(9.0);
  CHECK(tuner.ask().values["lr"] == 1e-3);
  CHECK(tuner.ask().why == reason::rollback);
  tell(9.0);
  CHECK(told.back().seen.relocated);
  tell(8.9);
  CHECK_FALSE(told.back().seen.relocated);
}

TEST_CASE("values that fail at once after such a return are not returned to again before something became good") {
  auto tuner = scripted(start(), [](suggestion& next) { next.why = reason::hold; }) | guard(strict());
  double rate = 0.0;
  auto const tell = [&](double metric) {
    tuner.tell({.metric = metric, .restorable = true});
    rate = tuner.ask().values["lr"];
  };
  tuner.ask();
  for (int step = 0; step < 10; ++step) tell(10.0 - 0.1 * step);
  int returns = 0;
  for (int step = 0; step < 60; ++step) {  // measured where the rate is low enough alone
    double const before = rate;
    tell(rate > 2e-4 ? quiet_nan : 9.0);
    if (rate > 2.0 * before) ++returns;
  }
  CHECK(returns == 1);
  CHECK(rate <= 2e-4);
}
