#include <algorithm>
#include <catch2/catch_approx.hpp>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/noise.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

search_space two() { return {real{"lr", 1e-6, 1.0, scale::log}, real{"momentum", 0.0, 1.0}}; }

/// Training whose pace is best at one place of the unit cube.
class training {
 public:
  training(double best_rate, double best_momentum, std::uint64_t seed, double jitter = 0.004)
      : best_rate_(best_rate), best_momentum_(best_momentum), jitter_(jitter), random_(seed) {}

  double step(configuration const& at) {
    search_space const& space = at.space();
    double const off = std::pow((space.to_unit(0, at[0]) - best_rate_) / 0.3, 2) +
                       std::pow((space.to_unit(1, at[1]) - best_momentum_) / 0.3, 2);
    lost_ += std::min(off, 3.0);
    metric_ *= std::exp(-0.02 * (1.0 - std::min(off, 3.0)));
    return metric_ * (1.0 + jitter_ * random_.normal());
  }
  /// What was not at the best place, summed.
  double lost() const { return lost_; }

 private:
  double best_rate_, best_momentum_, jitter_;
  double metric_ = 1.0, lost_ = 0.0;
  support::noise random_;
};

earlier_run run_of(suggestions tuner, training on, std::size_t steps) {
  earlier_run made{.space = tuner.ask().values.space()};
  for (std::size_t i = 0; i < steps; ++i) {
    suggestion const& now = tuner.ask();
    double const metric = on.step(now.values);
    made.steps.push_back({.applied = {now.values.values().begin(), now.values.values().end()},
                          .metric = metric,
                          .why = now.why,
                          .events = now.events});
    tuner.tell(metric);
  }
  return made;
}

double median_lost(std::size_t steps, auto make, double best_rate, double best_momentum) {
  std::vector<double> all;
  for (std::uint64_t seed = 0; seed < 9; ++seed) {
    training on(best_rate, best_momentum, 100 + seed);
    suggestions tuner = make(seed);
    for (std::size_t i = 0; i < steps; ++i) tuner.tell(on.step(tuner.ask().values));
    all.push_back(on.lost());
  }
  std::ranges::nth_element(all, all.begin() + 4);
  return all[4];
}

suggestions warm(std::uint64_t seed, earlier_run const& from, search_space const& space) {
  return bayesian(space, {.seed = seed, .earlier = translate(from, space.center())});
}

suggestions cold(std::uint64_t seed, search_space const& space) { return bayesian(space, {.seed = seed}); }

}  // namespace

TEST_CASE("parameters of an earlier run meet by name, and what it lacks is as in the start") {
  search_space const before{real{"gone", 0.0, 1.0}, categorical{"act", {"relu", "tanh", 3.0}},
                            real{"lr", 1e-6, 1e-2, scale::log}};
  search_space const now{real{"lr", 1e-4, 1.0, scale::log}, integer{"batch", 8, 256},
                         categorical{"act", {3.0, "relu"}}};
  configuration const start = now.at({{"lr", 1e-3}, {"batch", 64}});
  earlier_run const run{.space = before,
                        .steps = {{.applied = {0.5, 0.0, 1e-5}, .metric = 2.0},
                                  {.applied = {0.5, 1.0, 1e-3}, .metric = 1.5},
                                  {.applied = {0.5, 2.0, std::nan("")}, .metric = 1.0}}};
  auto const told = translate(run, start);
  REQUIRE(told.size() == 3);
  CHECK(told[0].applied == std::vector<double>{1e-5, 64.0, 1.0});
  CHECK(told[1].applied == std::vector<double>{1e-3, 64.0, start[2]});
  CHECK(told[2].applied == std::vector<double>{1e-3, 64.0, 0.0});
  CHECK(told[2].metric == 1.0);
}

TEST_CASE("reversible trials of an earlier run are left out, and their steps count for what followed") {
  search_space const space{real{"lr", 1e-4, 1.0, scale::log}};
  earlier_run const run{
      .space = space,
      .steps = {{.applied = {0.1}, .metric = 3.0},
                {.applied = {0.2}, .metric = 9.0, .why = reason::range_test},
                {.applied = {0.3}, .metric = 9.0, .why = reason::range_test},
                {.applied = {0.01}, .metric = 2.0, .events = event::range_test_ended, .validation = 1.5}}};
  auto const told = translate(run, space.center());
  REQUIRE(told.size() == 2);
  CHECK(told[1].steps == 3.0);
  CHECK(told[1].relocated);
  CHECK(told[1].validation == 1.5);
  CHECK_FALSE(told[0].relocated);
}

TEST_CASE("a step of an earlier run that was taken back counts as failed") {
  search_space const space{real{"lr", 1e-4, 1.0, scale::log}};
  earlier_run const run{.space = space,
                        .steps = {{.applied = {0.1}, .metric = 3.0},
                                  {.applied = {1.0}, .metric = 9.0},
                                  {.applied = {0.1}, .metric = 3.0, .events = event::rolled_back}}};
  auto const told = translate(run, space.center());
  CHECK(told[0].result == outcome::measured);
  CHECK(told[1].result == outcome::failed);
  CHECK(told[2].result == outcome::measured);
}

TEST_CASE("an earlier run that does not fit is refused, and says why") {
  search_space const space = two();
  auto const refused = [&](earlier_run const& run, std::string const& words) {
    CHECK_THROWS_MATCHES(translate(run, space.center()), invalid_option, MessageMatches(ContainsSubstring(words)));
  };
  refused({.space = {real{"beta1", 0.0, 1.0}}}, "none of the parameters lr, momentum");
  refused({.space = {integer{"lr", 1, 2}}}, "\"lr\" was of another kind");
  refused({.space = space, .steps = {{.applied = {0.1}}}}, "holds 1 values; its search space has 2");
  CHECK_THROWS_MATCHES(bayesian(space, {.earlier = {{.applied = {0.1}}}}), invalid_option,
                       MessageMatches(ContainsSubstring("a stretch of 1 values")));
  CHECK_THROWS_MATCHES(
      bayesian(space, {.from = learned::level,
                       .earlier = translate({.space = space, .steps = {{.applied = {0.1, 0.5}}}}, space.center())}),
      invalid_option, MessageMatches(ContainsSubstring("learned::level")));
  settings chosen{.parameters = space, .tuning = {.tuner = tuner_kind::tpe}};
  CHECK_THROWS_MATCHES(make_pipeline(chosen, {}, earlier_run{.space = space}), invalid_option,
                       MessageMatches(ContainsSubstring("\"bayesian\"")));
}

TEST_CASE("a tuner that begins from an earlier run loses less than one that begins anew") {
  search_space const space = two();
  earlier_run const earlier = run_of(bayesian(space, {.seed = 3}), {0.7, 0.25, 5}, 300);
  double const anew = median_lost(100, [&](auto seed) { return cold(seed, space); }, 0.7, 0.25);
  CHECK(median_lost(100, [&](auto seed) { return warm(seed, earlier, space); }, 0.7, 0.25) < 0.9 * anew);

  search_space const fewer{real{"other", 0.0, 1.0}, real{"lr", 1e-6, 1.0, scale::log}};
  earlier_run subset{.space = fewer};
  for (auto const& step : earlier.steps) {
    subset.steps.push_back({.applied = {0.5, step.applied[0]}, .metric = step.metric, .why = step.why});
  }
  CHECK(median_lost(100, [&](auto seed) { return warm(seed, subset, space); }, 0.7, 0.25) < 1.05 * anew);
}

TEST_CASE("an earlier run of which nothing holds any more does little harm") {
  search_space const space = two();
  for (double const rate : {0.2, 0.45}) {
    earlier_run const earlier = run_of(bayesian(space, {.seed = 3}), {rate, 0.9, 5}, 300);
    double const anew = median_lost(300, [&](auto seed) { return cold(seed, space); }, 0.75, 0.4);
    CHECK(median_lost(300, [&](auto seed) { return warm(seed, earlier, space); }, 0.75, 0.4) < 1.15 * anew);
  }
}

TEST_CASE("an earlier run of failures, NaN and absurd metrics leaves a tuner that works") {
  search_space const space = two();
  earlier_run storm{.space = space};
  support::noise random(7);
  for (int i = 0; i < 500; ++i) {
    double const wild = std::pow(10.0, 100.0 * random.normal());
    storm.steps.push_back({.applied = {random.normal(), 1e300 * random.normal()},
                           .metric = i % 3 == 0 ? std::nan("") : wild,
                           .result = i % 7 == 0 ? outcome::failed : outcome::measured,
                           .noise = wild,
                           .steps = wild});
  }
  suggestions tuner = warm(1, storm, space);
  training on(0.6, 0.5, 1);
  for (int i = 0; i < 200; ++i) {
    configuration const& now = tuner.ask().values;
    CHECK((space.contains(0, now[0]) && space.contains(1, now[1])));
    tuner.tell(on.step(now));
  }
}

TEST_CASE("the tuner of a pipeline hears the peaks of an earlier run, not the annealed rates") {
  search_space const space = two();
  settings const chosen{.parameters = space,
                        .tuning = {.objective = hook::step, .tune_n_steps = 5, .horizon = 2000, .range_test = false},
                        .metrics = {.smoothing_window = 1}};
  configuration const start = space.at({{"lr", 0.01}, {"momentum", 0.5}});
  earlier_run run{.space = space};
  suggestions annealed =
      quasi_random(space, {.start = start}) | every(1000000) | anneal({.horizon = 400, .rise = 0.02});
  for (int i = 0; i < 400; ++i) {
    auto const now = annealed.ask().values.values();
    run.steps.push_back({.applied = {now.begin(), now.end()}, .metric = 3.0 - 0.005 * i});
    annealed.tell(3.0 - 0.005 * i);
  }
  auto const heard = stretches(chosen, start, run);
  REQUIRE(heard.size() == 80);
  for (std::size_t i = 0; i < 70; ++i) {
    INFO("stretch " << i);
    CHECK(heard[i].applied[0] == Approx(0.01));
    CHECK(heard[i].steps == 5.0);
  }
  CHECK(heard[10].metric == Approx(3.0 - 0.005 * 52.5));  // the first of a stretch belongs to the one before
  suggestions warm = make_pipeline(chosen, start, run);
  CHECK(warm.ask().values[1] == 0.5);
}

TEST_CASE("an earlier run whose metric should grow is heard turned around") {
  search_space const space = two();
  settings const chosen{.parameters = space,
                        .tuning = {.direction = goal::maximize, .objective = hook::epoch},
                        .metrics = {.smoothing_window = 1}};
  earlier_run const run{.space = space, .steps = {{.applied = {0.1, 0.5}, .metric = 0.8}}};
  auto const heard = stretches(chosen, space.center(), run);
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].metric == -0.8);
}

TEST_CASE("a tuner with an earlier run resumes to the bit, and so does the same seed") {
  search_space const space = two();
  earlier_run const earlier = run_of(bayesian(space, {.seed = 3}), {0.7, 0.25, 5}, 150);
  suggestions one = warm(4, earlier, space), other = warm(4, earlier, space);
  training on(0.7, 0.3, 9);
  for (int i = 0; i < 40; ++i) one.tell(on.step(one.ask().values));
  load(other, save(one));
  for (int i = 0; i < 40; ++i) {
    CHECK(one.ask().values == other.ask().values);
    double const metric = on.step(one.ask().values);
    one.tell(metric);
    other.tell(metric);
  }
}
