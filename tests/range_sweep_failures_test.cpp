#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <limits>
#include <vector>

#include "support/landings.hpp"
#include "support/noisy_quadratic.hpp"

import autotunenet;
import autotunenet.testing;
import support.trainee;

using namespace autotunenet;
using namespace support;

TEST_CASE("one failure, or one metric that is far out, does not decide where a sweep lands") {
  auto const landing = [](std::size_t horizon, std::size_t at, double factor) {
    trainee<noisy_quadratic> training{noisy_quadratic(3)};
    auto tuner = following(rate_space().at({{"lr", 1e-3}})) | range_test({.horizon = horizon, .pilot = 0.0});
    for (std::size_t step = 0; step < 300; ++step) {
      suggestion const& s = tuner.ask();
      training.carry_out(s.state);
      double const rate = s.values["lr"];
      if (has(s.events, event::range_test_ended)) return rate;
      double const metric = training.now.step(rate);
      tuner.tell({.metric = step == at ? factor * metric : metric, .restorable = true});
    }
    return 0.0;
  };
  for (std::size_t const horizon : {300, 1000, 4000}) {
    double const undisturbed = landing(horizon, 0, 1.0);
    for (std::size_t const at : {1, 2, 5, 10, 20, 30, 60}) {
      for (double const factor : {std::numeric_limits<double>::quiet_NaN(), 10.0, 1000.0}) {
        double const landed = landing(horizon, at, factor);
        INFO("horizon " << horizon << ", " << factor << " times the metric at step " << at << ": landed " << landed);
        CHECK(landed > 0.2 * undisturbed);
        CHECK(landed < 5.0 * undisturbed);
      }
    }
  }
}

TEST_CASE("nor do two failures at its lowest value, or two that come to the same one by chance") {
  auto const landing = [](std::vector<std::size_t> const& failing) {
    trainee<noisy_quadratic> training{noisy_quadratic(3)};
    auto tuner = following(rate_space().at({{"lr", 1e-3}})) | range_test({.horizon = 1500, .pilot = 0.0});
    std::vector<double> failed_at;
    for (std::size_t step = 0; step < 300; ++step) {
      suggestion const& s = tuner.ask();
      training.carry_out(s.state);
      double const rate = s.values["lr"];
      if (has(s.events, event::range_test_ended)) return rate;
      bool const fails = std::ranges::find(failing, step) != failing.end();
      if (fails) failed_at.push_back(rate);
      if (failed_at.size() == 2) CHECK(failed_at[0] == failed_at[1]);
      double const metric = fails ? 0.0 : training.now.step(rate);
      tuner.tell({.metric = metric, .result = fails ? outcome::failed : outcome::measured, .restorable = true});
    }
    return 0.0;
  };
  double const undisturbed = landing({});
  for (auto const& failing : {std::vector<std::size_t>{2, 3}, {3, 5}, {10, 20}}) {
    double const landed = landing(failing);
    INFO("failures at steps " << failing[0] << " and " << failing[1] << ": landed " << landed);
    CHECK(landed > 0.2 * undisturbed);
    CHECK(landed < 5.0 * undisturbed);
  }
}

TEST_CASE("where failures come at random nothing is known of the values: the start is kept, and that is told") {
  noisy_quadratic training(3);
  trainee<noisy_quadratic> one{training};
  auto tuner = following(rate_space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
  event told = event::none;
  for (int step = 0; step < 200; ++step) {
    suggestion const& s = tuner.ask();
    told |= s.events;
    one.carry_out(s.state);
    double const metric = one.now.step(s.values["lr"]);
    bool const fails = step == 4 || step == 40 || step == 44;
    tuner.tell({.metric = metric, .result = fails ? outcome::failed : outcome::measured, .restorable = true});
  }
  CHECK(has(told, event::range_test_ended));
  CHECK(has(told, event::not_located));
  CHECK(tuner.ask().values["lr"] == 1e-3);
}

TEST_CASE("NaN, infinity and failures end a sweep, and are never landed on") {
  for (int kind = 0; kind < 3; ++kind) {
    noisy_quadratic training(3);
    auto tuner = following(rate_space().at({{"lr", 1e-3}})) | range_test({.horizon = 4000});
    bool landed = false;
    double failed_at = 0.0;
    for (int step = 0; step < 300 && !landed; ++step) {
      suggestion const& s = tuner.ask();
      double const lr = s.values["lr"];
      landed = has(s.events, event::range_test_ended);
      if (landed) CHECK(lr < failed_at);
      observation seen{.metric = training.step(lr), .restorable = true};
      if (lr > 0.2 && !landed) {
        failed_at = lr;
        if (kind == 0) seen.metric = std::numeric_limits<double>::quiet_NaN();
        if (kind == 1) seen.metric = std::numeric_limits<double>::infinity();
        if (kind == 2) seen.result = outcome::failed;
      }
      tuner.tell(seen);
    }
    CHECK(landed);
  }
}

TEST_CASE("a sweep that nothing was measured in says nothing: the start is kept, and that is told at once") {
  for (std::size_t const horizon : {0U, 300U, 1000U, 4000U}) {
    auto tuner = following(rate_space().at({{"lr", 1e-3}})) | range_test({.horizon = horizon});
    event told = event::none;
    double highest = 0.0;
    for (int step = 0; step < 300; ++step) {
      suggestion const& s = tuner.ask();
      told |= s.events;
      if (s.why != reason::range_test) highest = std::max(highest, s.values["lr"]);
      bool const measured = step >= 200;
      tuner.tell({.metric = 1.0, .result = measured ? outcome::measured : outcome::skipped, .restorable = true});
    }
    INFO("horizon " << horizon);
    CHECK(highest == 1e-3);
    CHECK(has(told, event::range_test_ended));
    CHECK(has(told, event::not_located));
    CHECK(has(told, event::no_difference));
  }
}
