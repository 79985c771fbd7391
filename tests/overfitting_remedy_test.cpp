#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

import autotunenet;
import autotunenet.testing;
import support.trainee;

using namespace autotunenet;
using Catch::Matchers::WithinRel;
using support::course;
using support::following;
using support::quiet_nan;
using support::trainee;

namespace {

/// Learns what there is to learn, then meets other data.
struct network {
  enum class data { same, wrong_labels, harder, learnable } later = data::same;
  double learned = 0.0;
  double followed = 0.0;  // of what the later data say
  bool shifted = false;

  double train(double rate) {
    learned += 0.02 * (1.0 - learned);
    if (shifted) followed += std::min(1.0, 20.0 * rate) * (later == data::learnable ? 0.01 : 0.2) * (1.0 - followed);
    return shifted && later != data::same ? 3.0 - followed : 1.0 - 0.7 * learned;
  }
  double validation() const {
    double const before = 1.0 - 0.7 * learned;
    if (!shifted || later == data::same) return before;
    if (later == data::wrong_labels) return before + 0.5 * followed;
    return before + (later == data::harder ? 0.5 : 0.0) + 0.5 * (1.0 - followed);
  }
};

constexpr std::size_t horizon = 1000;

struct shifted_run {
  network::data later = network::data::wrong_labels;
  std::size_t shift_at = 500;
  std::size_t validated_every = 40;
  std::size_t failing_trial_step = 0;     // counted from 1; 0: none
  std::size_t last_validation = horizon;  // steps
  bool restorable = true;
  bool copies_trials = true;
  anneal_options options{.horizon = horizon, .shape = annealing::linear, .hold = 1.0};
};

struct run_end {
  network now;
  double rate = 0.0;
  event events = event::none;
  std::size_t trial_steps = 0;
  double trial_rate = 0.0;  // the highest one after the first step
  double followed_before = 0.0, followed_after = 0.0;
  bool slot_taken = false;
  course told;
};

/// `resumed_at`: the step before which all goes into an archive and back.
run_end train(shifted_run const& of, std::optional<std::size_t> resumed_at = std::nullopt) {
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}};
  run_end found;
  auto const savable = [&] { return bayesian(space, {.seed = 1}) | anneal(of.options); };
  suggestions tuner = resumed_at ? savable() : following(space.at({{"lr", 0.1}}), &found.told) | anneal(of.options);
  trainee<network> training{{.later = of.later}};
  bool in_trial = false;
  for (std::size_t step = 0; step < horizon; ++step) {
    if (resumed_at == step) {
      auto const kept = save(tuner);
      tuner = savable();
      load(tuner, kept);
    }
    suggestion const& now = tuner.ask();
    bool const begins = !std::exchange(in_trial, now.why == reason::range_test) && in_trial;
    if (begins) found.followed_before = training.now.followed;
    bool const refused = !of.copies_trials && has(now.state, training_state::mark_trial);
    training.carry_out(refused ? without(now.state, training_state::mark_trial) : now.state);
    if (has(now.state, training_state::return_to_trial)) found.followed_after = training.now.followed;
    found.events |= now.events;
    found.rate = now.values[0];
    if (in_trial && found.trial_steps++ > 0) found.trial_rate = std::max(found.trial_rate, found.rate);
    training.now.shifted = step >= of.shift_at;
    double const metric = training.now.train(now.values[0]);
    bool const validates = (step + 1) % of.validated_every == 0 && step < of.last_validation;
    bool const fails = in_trial && found.trial_steps == of.failing_trial_step;
    tuner.tell({.metric = fails ? quiet_nan : metric,
                .restorable = of.restorable && !refused,
                .validation = validates ? training.now.validation() : quiet_nan,
                .covers = coverage::step});
  }
  found.now = training.now;
  found.slot_taken = training.trial.has_value();
  return found;
}

}  // namespace

TEST_CASE("where labels become wrong for good, training goes back to the best validation and hardly leads away") {
  auto const each = GENERATE(40U, 20U, 7U);
  auto const found = train({.validated_every = each});
  CHECK(has(found.events, event::best_tried));
  CHECK(has(found.events, event::best_kept));
  CHECK(found.now.validation() < 0.4);  // 0.8 otherwise
  CHECK(found.rate < 0.1 / 4.0);
  CHECK(found.trial_rate == 1e-6);
  CHECK_FALSE(found.slot_taken);
  // The tuner inside learns of the state it goes on from, and of every step.
  CHECK(std::ranges::count(found.told.relocated, true) >= 1);
  CHECK(std::accumulate(found.told.steps.begin(), found.told.steps.end(), 0.0) == horizon);
}

TEST_CASE("where the data are harder, the trial of what was best before is undone") {
  auto const found = train({.later = network::data::harder});
  CHECK(has(found.events, event::best_tried));
  CHECK_FALSE(has(found.events, event::best_kept));
  CHECK(found.trial_steps <= 41);
  CHECK(found.followed_before > 0.5);
  CHECK(found.followed_after == found.followed_before);
  CHECK_THAT(found.rate, WithinRel(0.1, 1e-9));
  CHECK_FALSE(found.slot_taken);
  CHECK(std::ranges::count(found.told.relocated, true) == 0);
  CHECK(std::accumulate(found.told.steps.begin(), found.told.steps.end(), 0.0) == horizon);
}

TEST_CASE("the state at the best validation is not tried where training gets over it, or nothing can be undone") {
  shifted_run without{.restorable = false};
  shifted_run early{.shift_at = 200};
  shifted_run late{.shift_at = 900};
  shifted_run open;
  open.options.horizon = 0;
  shifted_run not_back;
  not_back.options.return_to_best = false;
  shifted_run not_looked_at;
  not_looked_at.options.overfitting_factor = 1.0;
  for (shifted_run const& of :
       {shifted_run{.later = network::data::learnable}, shifted_run{.later = network::data::same}, without, early, late,
        open, not_back, not_looked_at}) {
    auto const found = train(of);
    INFO("shift at " << of.shift_at << ", horizon " << of.options.horizon);
    CHECK_FALSE(has(found.events, event::best_tried));
    CHECK(found.trial_steps == 0);
  }
}

TEST_CASE("a trial that fails, or in which nothing is validated, is undone") {
  std::size_t const failing = GENERATE(1U, 2U, 20U);
  auto const failed = train({.failing_trial_step = failing});
  CHECK(failed.trial_steps == failing);
  CHECK(failed.followed_after == failed.followed_before);
  CHECK_THAT(failed.rate, WithinRel(0.1, 1e-9));
  CHECK_FALSE(failed.slot_taken);

  auto const silent = train({.last_validation = 560});
  CHECK(silent.trial_steps > 0);
  CHECK(silent.trial_steps <= 81);
  CHECK(silent.followed_after == silent.followed_before);
}

TEST_CASE("where the copy that undoes a trial is not made, there is one step of it, and no further trial") {
  for (std::optional<std::size_t> const resumed : {std::optional<std::size_t>{}, std::optional<std::size_t>{700}}) {
    auto const found = train({.failing_trial_step = 1, .copies_trials = false}, resumed);
    CHECK(found.trial_steps == 1);
    CHECK(has(found.events, event::not_restorable));
    CHECK_FALSE(has(found.events, event::best_kept));
    CHECK(found.now.followed >= found.followed_before);
    CHECK_FALSE(found.slot_taken);
  }
}

TEST_CASE("a run that is resumed in a trial of its best state ends as one that was not") {
  auto const whole = train({}, horizon);
  CHECK(has(whole.events, event::best_kept));
  for (std::size_t const step : {541U, 561U, 562U, 563U, 580U, 600U, 601U, 640U}) {
    INFO("resumed before step " << step);
    auto const resumed = train({}, step);
    CHECK(resumed.now.followed == whole.now.followed);
    CHECK(resumed.rate == whole.rate);
    CHECK(resumed.trial_steps == whole.trial_steps);
  }
}
