#include <algorithm>
#include <catch2/catch_approx.hpp>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "support/landings.hpp"
#include "support/noisy_quadratic.hpp"

import autotunenet;
import autotunenet.testing;
import support.trainee;

using namespace autotunenet;
using namespace support;

namespace {

struct learner {
  double learned = 0.0;
  int high = 0;  // steps at high rates
};

struct short_run {
  std::vector<suggestion> all;
  std::vector<double> landed;
  double lost = 0.0;
  bool kept_copies = false;
};
template <class Metric>
short_run run_short(Metric metric, std::size_t horizon, course* log = nullptr, search_space space = rate_space()) {
  short_run result;
  trainee<learner> training{};
  auto tuner = following(space.at({{"lr", 1e-3}}), log) | range_test({.horizon = horizon});
  for (std::size_t step = 0; step < horizon; ++step) {
    suggestion const& s = tuner.ask();
    result.all.push_back(s);
    training.carry_out(s.state);
    if (has(s.events, event::range_test_ended | event::backed_off)) result.landed.push_back(s.values["lr"]);
    training.progress += 1.0;
    double const noise = 0.01 * static_cast<double>((step * 7919) % 11) / 11.0;
    tuner.tell({.metric = metric(training.now, s.values["lr"]) + noise, .restorable = true});
  }
  result.lost = static_cast<double>(horizon) - training.progress;
  result.kept_copies = training.trial || training.origin;
  return result;
}

/// What has been learned grows with the rate up to a value that serves best.
auto learning(double best) {
  return [best](learner& now, double rate) {
    now.learned += std::min(rate / best, best / rate);
    return 2.0 - std::tanh(now.learned);
  };
}
/// The same, but rates above `high` undo all of it after so many steps.
auto forgetting(double high, int after) {
  return [high, after, learn = learning(1.0)](learner& now, double rate) {
    if (rate > high && now.high++ >= after) now.learned = -1.0;
    return learn(now, rate);
  };
}

/// The same at any rate from some value on.
double learning_evenly(learner& now, double rate) {
  now.learned += 0.02 * std::min(rate / 0.05, 1.0);
  return 2.0 - std::tanh(now.learned);
}

/// Bounds that leave room for one pilot above what `learning_evenly` lands on.
search_space room_for_one() { return search_space{real{"lr", 1e-6, 0.8, scale::log}}; }

/// All that can be learned soon is, at any rate from `slow` on, and rates above `high` undo it.
auto flattening(double slow, double high) {
  return [slow, high](learner& now, double rate) {
    now.learned = rate > high ? -1.0 : now.learned + 0.06 * std::min(rate / slow, 1.0);
    return 2.0 - std::tanh(now.learned);
  };
}

/// A network that soon knows how frequent the classes are, which is little more than noise, and then is slow to begin
/// to learn. Rates too high leave it at the former for ever.
struct slow_to_begin {
  double tolerated;
  std::mt19937_64 engine{};
  std::normal_distribution<double> noise{0.0, 0.1};
  double frequencies = 0.0, learned = 0.0;
  bool dead = false;

  double step(double rate) {
    double const loss = rate > 6.0 ? 50.0 : 2.0 + 0.25 * std::exp(-frequencies) - 1.9 * learned + noise(engine);
    frequencies += 50.0 * rate;
    dead = dead || rate > tolerated;
    learned = dead ? 0.0 : learned + std::min(rate, 5e-3) * (0.02 + learned) * (1.0 - learned) * 20.0;
    return loss;
  }
  bool unharmed() const { return !dead; }
};

/// Trains a run for whose pilots no copy is made.
template <class Network, class Metric>
void check_without_copies(Network network, double start, std::size_t horizon, Metric metric) {
  course log;
  trainee<Network> training{network};
  auto tuner = following(rate_space().at({{"lr", start}}), &log) | range_test({.horizon = horizon});
  double landed = 0.0;
  int refused = 0;
  bool ends = false;
  for (std::size_t step = 0; step < horizon; ++step) {
    suggestion const& s = tuner.ask();
    CHECK_FALSE(has(s.state, training_state::return_to_trial));
    if (ends) {
      CHECK(s.why == reason::hold);
      CHECK(s.values["lr"] == landed);
      CHECK(s.events == (event::range_test_ended | event::not_restorable));
      CHECK(has(s.state, training_state::drop_trial));
    }
    ends = has(s.state, training_state::mark_trial);
    refused += ends ? 1 : 0;
    if (has(s.events, event::range_test_ended | event::backed_off)) landed = s.values["lr"];
    training.carry_out(without(s.state, training_state::mark_trial));
    double const noise = 0.01 * static_cast<double>((step * 7919) % 11) / 11.0;
    tuner.tell({.metric = metric(training.now, s.values["lr"]) + noise, .restorable = !ends});
  }
  CHECK(refused == 1);
  CHECK_FALSE(training.origin);
  double all = 0.0;
  for (double const steps : log.steps) all += steps;
  CHECK(all == static_cast<double>(horizon));
}

/// A policy that finds little and sticks to it where rates are high, and much where they are not.
struct gives_up_exploring {
  std::mt19937_64 engine{};
  std::normal_distribution<double> noise{0.0, 0.05};
  double learned = 0.0, within_reach = 1.0;

  double step(double rate) {
    if (rate > 0.03) within_reach = std::min(within_reach, 0.4);
    learned += std::min(rate / 0.02, 3.0) * 0.05 * std::max(within_reach - learned, 0.0);
    return 2.0 - learned + noise(engine);
  }
  bool unharmed() const { return within_reach == 1.0; }
};

}  // namespace

TEST_CASE("a short run goes on with a pilot of a higher value where that does as well, and knows what it cost") {
  course log;
  short_run const result = run_short(learning(1.0), 1000, &log);
  REQUIRE(result.landed.size() == 2);
  CHECK(result.landed[1] >= 2.0 * result.landed[0]);
  CHECK_FALSE(result.kept_copies);
  CHECK(result.lost <= 0.11 * 1000.0 + 35.0);
  double all = 0.0;
  for (double const steps : log.steps) all += steps;
  CHECK(all == 1000.0);
}

TEST_CASE("a pilot that does worse is undone, and training goes on where it was") {
  double const found = run_short(learning(1.0), 1000).landed.front();
  short_run const result = run_short(forgetting(1.5 * found, 20), 1000);
  REQUIRE(result.landed.size() == 2);
  CHECK(std::ranges::any_of(result.all, [](suggestion const& s) {
    return s.why == reason::hold && has(s.state, training_state::return_to_trial);
  }));
  CHECK(result.landed[0] == found);
  CHECK(result.landed[1] == found);
  CHECK(result.lost <= 60.0 + 2.0 * 35.0);  // the sweep, and one pilot each way
  CHECK_FALSE(result.kept_copies);
}

TEST_CASE(
    "where a higher pilot does worse, a lower one from before the run has to be better, and is gone on with then") {
  double const found = run_short(learning_evenly, 1000, nullptr, room_for_one()).landed.front();
  for (bool const slowed : {true, false}) {
    auto const spoilt = [&](learner& now, double rate) {
      bool const spoils = rate > 0.6 * found && now.high++ >= 10;
      double const before = now.learned;
      double const metric = learning_evenly(now, rate);
      if (spoils && slowed) now.learned = before + 0.6 * (now.learned - before);
      if (spoils && rate > 1.5 * found) now.learned = -1.0;
      return metric;
    };
    short_run const result = run_short(spoilt, 1000, nullptr, room_for_one());
    INFO("found " << found << ", landed " << result.landed.front() << " then " << result.landed.back());
    REQUIRE(result.landed.size() == 2);
    CHECK(result.landed[0] == found);
    CHECK(result.landed[1] == Catch::Approx(slowed ? 0.35 * found : found));
    CHECK_FALSE(result.kept_copies);
  }
}

TEST_CASE("what a pilot promised has to hold, else the run goes back to where it was before") {
  double const found = run_short(learning_evenly, 1000, nullptr, room_for_one()).landed.front();
  auto const forgets = [&](learner& now, double rate) {
    if (rate > 1.5 * found && now.high++ >= 40) now.learned = -1.0;
    return learning_evenly(now, rate);
  };
  short_run const result = run_short(forgets, 1000, nullptr, room_for_one());
  INFO("found " << found);
  REQUIRE(result.landed.size() == 3);
  CHECK(result.landed[0] == found);
  CHECK(result.landed[1] > 1.5 * found);
  CHECK(result.landed[2] == found);
  CHECK_FALSE(result.kept_copies);
}

TEST_CASE("where the metric comes to rest, a pilot is no longer slow, and others climb as far as it bears") {
  short_run const result = run_short(flattening(0.01, 5.0), 1000);
  REQUIRE(result.landed.size() == 3);
  CHECK(result.landed[1] == result.landed[0]);  // the first was slower than the run had been
  CHECK(result.landed[2] > 8.0 * result.landed[0]);
  CHECK(result.landed[2] <= 5.0);
  CHECK(result.lost <= 60.0 + 2.0 * 35.0);
  CHECK_FALSE(result.kept_copies);
}

TEST_CASE("a pilot that was slower is not tried again where the run gains more than it did") {
  constexpr double high = 0.6;
  auto const resting_above = [](learner& now, double rate) {
    now.learned += rate > high ? 0.0 : 0.02 * std::min(rate / 0.05, 1.0);
    return rate > 6.0 ? 9.0 : 2.0 - std::tanh(now.learned);
  };
  short_run const result = run_short(resting_above, 1000);
  REQUIRE(result.landed.size() == 2);
  REQUIRE(result.landed[0] < high);
  REQUIRE(2.0 * result.landed[0] > high);
  CHECK(result.landed[1] == result.landed[0]);
  CHECK(result.lost < 100.0);
  CHECK_FALSE(result.kept_copies);
}

TEST_CASE("where the copy that undoes a pilot is not made, there is one step of it, and no further pilot") {
  check_without_copies(learner{}, 1e-3, 1000, learning(1.0));
  check_without_copies(slow_to_begin{.tolerated = 0.005}, 0.1, 4000,
                       [](slow_to_begin& network, double rate) { return network.step(rate); });
}

TEST_CASE("a pilot that does not run, since something else sets the value, is undone and the last") {
  trainee<learner> training{};
  auto tuner = following(rate_space().at({{"lr", 1e-3}})) | range_test({.horizon = 1000});
  auto const metric = learning(1.0);
  double landed = 0.0;
  int piloted = 0, returns = 0;
  for (std::size_t step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    training.carry_out(s.state);
    if (has(s.events, event::range_test_ended)) landed = s.values["lr"];
    if (has(s.state, training_state::return_to_trial)) {
      ++returns;
      CHECK(s.why == reason::hold);
      CHECK(has(s.state, training_state::drop_trial));
      CHECK(has(s.state, training_state::drop_origin));
    }
    if (returns > 0) CHECK(s.values["lr"] == landed);
    configuration applied = s.values;
    if (landed > 0.0 && s.why == reason::range_test) {
      ++piloted;
      applied.assign(0, landed);
    }
    tuner.tell({.metric = metric(training.now, applied[0]), .applied = applied.values(), .restorable = true});
  }
  CHECK(returns == 1);
  CHECK(piloted == 3);
}

TEST_CASE("a run that has landed next to its upper bound has no pilot above it") {
  noisy_quadratic training(2);
  search_space const low{real{"lr", 1e-6, 0.05, scale::log}};
  auto tuner = following(low.center()) | range_test({.horizon = 500});
  trained const result = run(tuner, training, 500);
  CHECK(result.landed > 0.04);
  CHECK(result.extra <= 51);
}

TEST_CASE("runs that can afford branches, and runs too short to tell values apart, have no pilots") {
  for (std::size_t const horizon : {250U, 2500U}) {
    short_run const result = run_short(learning(1.0), horizon);
    CHECK(result.landed.size() == 1);
  }
}

TEST_CASE("pilots do not need restarts") {
  auto const trials = [](std::size_t restarts) {
    auto tuner = following(rate_space().at({{"lr", 1e-5}})) | range_test({.horizon = 1000, .restarts = restarts});
    noisy_quadratic training(1);
    trained const result = run(tuner, training, 600);
    return std::ranges::count(result.all, reason::range_test, &suggestion::why);
  };
  CHECK(trials(0) == trials(2));
}

TEST_CASE("what keeps a network from training, which only the metric's noise shows, is found out") {
  for (std::size_t const horizon : {0U, 1500U, 4000U}) {
    trainee<slow_to_begin> training{{.tolerated = 0.005}};
    std::vector<double> const found = landings_of(training, 0.1, horizon, horizon > 0 ? horizon : 4000);
    INFO("horizon " << horizon << " landed " << found.front() << " then " << found.back() << " of " << found.size());
    CHECK(found.front() > 0.005);
    CHECK(found.back() < 0.005);
    CHECK(training.now.learned > 0.9);
  }
}

TEST_CASE(
    "where training stands still by the end of its proof, a far lower value is tried, and kept if it goes further") {
  constexpr std::size_t horizon = 4000;
  int fell_for_it = 0, left = 0;
  for (std::uint64_t seed = 0; seed < 24; ++seed) {
    trainee<gives_up_exploring> training{{.engine = std::mt19937_64(seed)}};
    std::vector<double> const found = landings_of(training, 0.1, horizon, horizon);
    if (found.front() <= 0.03) continue;
    ++fell_for_it;
    if (found.back() >= 0.03) continue;
    ++left;
    CHECK(training.now.learned > 0.9);  // 0.4 otherwise
  }
  CHECK(fell_for_it >= 16);
  CHECK(left >= 1);  // of the others the last quarter was better by chance
}
