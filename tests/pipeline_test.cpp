#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <chrono>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <string>
#include <utility>
#include <vector>

#include "support/clock_reads.hpp"
#include "support/noisy_quadratic.hpp"

import autotunenet;
import autotunenet.testing;
import support.trainee;

using namespace autotunenet;
using Catch::Matchers::Message;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

std::string const lr = "[parameters]\nlr = { min = 1e-4, max = 1.0, scale = \"log\" }\n";

/// The learning rates and reasons of a run in which the metric is `metric(step)`.
struct run {
  std::vector<double> rates;
  std::vector<reason> why;
  event events = event::none;

  template <class Metric>
  run(suggestions tuning, std::size_t steps, Metric metric, bool restorable = false) {
    for (std::size_t i = 0; i < steps; ++i) {
      suggestion const& now = tuning.ask();
      rates.push_back(now.values[0]);
      why.push_back(now.why);
      events |= now.events;
      tuning.tell({.metric = metric(i, now.values[0]), .restorable = restorable});
    }
  }
  bool has_reason(reason one) const {
    for (reason const r : why) {
      if (r == one) return true;
    }
    return false;
  }
};

run on_quadratic(settings const& chosen, std::size_t steps, bool restorable = false) {
  support::noisy_quadratic network(3);
  auto const metric = [&](std::size_t, double rate) { return network.step(rate); };
  return {make_pipeline(chosen), steps, metric, restorable};
}

}  // namespace

TEST_CASE("each tuner makes a pipeline from a file and trains") {
  for (std::string const tuner : {"bayesian", "tpe", "random"}) {
    CAPTURE(tuner);
    settings const chosen = parse_settings(lr + "[tuning]\nobjective = \"step\"\ntuner = \"" + tuner + "\"\n");
    run const training = on_quadratic(chosen, 500);
    CHECK(training.rates.front() == search_space{real{"lr", 1e-4, 1.0, scale::log}}.center()[0]);
    bool moved = false;
    for (double const rate : training.rates) {
      REQUIRE(rate >= 1e-4);
      REQUIRE(rate <= 1.0);
      moved = moved || rate != training.rates.front();
    }
    CHECK(moved);
  }
}

TEST_CASE("a run pays for branches or for pilots, not for both") {
  for (std::size_t const horizon : {2400U, 2494U, 2499U, 2500U, 4000U}) {
    suggestions tuning = make_pipeline({.tuning = {.objective = hook::step, .seed = 1, .horizon = horizon}},
                                       search_space{real{"lr", 1e-6, 100.0, scale::log}}.at({{"lr", 1e-3}}));
    support::trainee<support::noisy_quadratic> training{support::noisy_quadratic(3)};
    std::size_t trials = 0;
    std::size_t const steps = horizon / 2;
    for (std::size_t step = 0; step < steps; ++step) {
      suggestion const& now = tuning.ask();
      training.carry_out(now.state);
      training.progress += 1.0;
      trials += now.why == reason::range_test ? 1 : 0;
      tuning.tell({.metric = training.now.step(now.values[0]), .restorable = true, .covers = coverage::step});
    }
    double const undone = static_cast<double>(steps) - training.progress;
    INFO("horizon " << horizon << " trials " << trials << " undone " << undone);
    CHECK(trials > 0);
    CHECK(undone < 0.11 * static_cast<double>(horizon));
  }
}

TEST_CASE("the seed of a file takes effect, and the same seed gives the same run") {
  auto const of_seed = [](int seed) {
    return on_quadratic(
               parse_settings(lr + "[tuning]\ntuner = \"random\"\nanneal = \"none\"\ntune_n_steps = 1\nseed = " +
                              std::to_string(seed) + "\n"),
               50)
        .rates;
  };
  CHECK(of_seed(1) == of_seed(1));
  CHECK(of_seed(1) != of_seed(2));
}

TEST_CASE("the stability section of a file takes effect") {
  auto const of_stability = [](std::string const& text) {
    settings const chosen = parse_settings(lr + "[stability]\nwindow = 1\n" + text +
                                           "[tuning]\nanneal = \"none\"\n[metrics]\nsmoothing_window = 1\n");
    // Improves for thirty steps, then is ever worse.
    auto const metric = [](std::size_t i, double) {
      auto const x = static_cast<double>(i);
      return i < 30 ? 10.0 - 0.1 * x : 50.0 + 10.0 * x;
    };
    run const training(make_pipeline(chosen), 80, metric);
    std::size_t first = 0;
    while (first < training.why.size() && training.why[first] != reason::rollback) ++first;
    return first;
  };
  CHECK(of_stability("patience = 2\n") < 80);
  CHECK(of_stability("patience = 7\n") == of_stability("patience = 2\n") + 5);
  CHECK(of_stability("patience = 2\nenabled = false\n") == 80);
  CHECK(of_stability("patience = 2\nmax_regression = 1e9\n") == 80);
}

TEST_CASE("without the regression test a failure still acts") {
  settings const chosen = parse_settings(lr + "[stability]\nenabled = false\n");
  run const training(make_pipeline(chosen), 10, [](std::size_t i, double) { return i == 5 ? not_a_number : 1.0; });
  CHECK(has(training.events, event::failed));
  CHECK((has(training.events, event::rolled_back) || has(training.events, event::backed_off)));
}

TEST_CASE("warm-up holds the start for as many epochs as the file says") {
  settings const chosen = parse_settings(lr +
                                         "[tuning]\ntuner = \"random\"\nanneal = \"none\"\nobjective = \"step\"\n"
                                         "tune_n_steps = 1\nsteps_per_epoch = 10\nwarmup_epochs = 2\n"
                                         "range_test = false\n");
  run const training = on_quadratic(chosen, 30);
  for (std::size_t i = 0; i < 20; ++i) CHECK(training.rates[i] == training.rates[0]);
  CHECK(training.rates[25] != training.rates[0]);
}

TEST_CASE("the metric gate opens at or above the threshold where the metric should grow") {
  auto const moved = [](double metric) {
    settings const chosen = parse_settings(lr +
                                           "[tuning]\ntuner = \"random\"\nanneal = \"none\"\n"
                                           "direction = \"maximize\"\nwarmup_metric_threshold = 0.8\n");
    run const training(make_pipeline(chosen), 40, [&](std::size_t, double) { return metric; });
    return training.rates.back() != training.rates.front();
  };
  CHECK(moved(0.9));
  CHECK_FALSE(moved(0.7));
}

TEST_CASE("the tuner moves at each n-th observation only") {
  settings const chosen = parse_settings(lr + "[tuning]\ntuner = \"random\"\nanneal = \"none\"\ntune_n_steps = 5\n");
  run const training(make_pipeline(chosen), 41, [](std::size_t, double) { return 1.0; });
  for (std::size_t i = 1; i < training.rates.size(); ++i) {
    if (i % 5 != 0) CHECK(training.rates[i] == training.rates[i - 1]);
  }
  CHECK(training.rates.back() != training.rates.front());
}

TEST_CASE("annealing and the range test follow the settings and the space") {
  std::string const steps = "[tuning]\ntuner = \"random\"\nobjective = \"step\"\nhorizon = 1000\ntune_n_steps = 500\n";
  run const whole = on_quadratic(parse_settings(lr + steps), 1000, true);
  CHECK(whole.has_reason(reason::range_test));
  CHECK(whole.rates.back() < 1e-3);
  run const no_sweep = on_quadratic(parse_settings(lr + steps + "range_test = false\n"), 100, true);
  CHECK_FALSE(no_sweep.has_reason(reason::range_test));
  run const epochs = on_quadratic(parse_settings(lr + "[tuning]\nobjective = \"epoch\"\n"), 100, true);
  CHECK(epochs.has_reason(reason::range_test));
  run const left_alone =
      on_quadratic(parse_settings(lr + "[tuning]\nobjective = \"epoch\"\nrange_test = false\n"), 100, true);
  CHECK_FALSE(left_alone.has_reason(reason::range_test));
  run const linear = on_quadratic(parse_settings("[parameters]\nlr = { min = 0.01, max = 0.5 }\n" + steps), 100, true);
  CHECK(linear.has_reason(reason::range_test));
  run const negative =
      on_quadratic(parse_settings("[parameters]\nlr = { min = -0.5, max = 0.0 }\n" + steps), 100, true);
  CHECK_FALSE(negative.has_reason(reason::range_test));
  run const group = on_quadratic(
      parse_settings("[parameters]\n\"group0.lr\" = { min = 1e-4, max = 1.0, scale = \"log\" }\n" + steps), 1000);
  CHECK(group.rates.back() < 1e-3);
}

TEST_CASE("a range test that finds nothing leaves the run the start as its peak") {
  settings const chosen{.parameters = search_space{real{"lr", 1e-6, 1e2, scale::log}},
                        .tuning = {.tuner = tuner_kind::random, .objective = hook::step, .horizon = 1000}};
  auto const metric = [](std::size_t i, double) { return 1.0 + 0.01 * static_cast<double>((i * 7919) % 11); };
  run const training(make_pipeline(chosen, chosen.parameters->at({{"lr", 0.01}})), 150, metric, true);
  REQUIRE(training.has_reason(reason::range_test));
  double highest = 0.0;
  for (std::size_t i = 0; i < training.rates.size(); ++i)
    if (training.why[i] != reason::range_test) highest = std::max(highest, training.rates[i]);
  CHECK(highest > 0.009);
}

TEST_CASE("a start stands for the parameters, or belongs to them") {
  search_space const space{real{"lr", 1e-4, 1.0, scale::log}};
  CHECK(make_pipeline({}, space.at({{"lr", 0.01}})).ask().values[0] == 0.01);
  CHECK(make_pipeline({.parameters = space}, space.at({{"lr", 0.02}})).ask().values[0] == 0.02);
  CHECK_THROWS_MATCHES(make_pipeline({}), invalid_option,
                       Message("[parameters] is missing: name what should be tuned, for example lr = { min = 1e-5, "
                               "max = 0.1 }"));
  CHECK_THROWS_MATCHES(make_pipeline({.parameters = space}, search_space{real{"x"}}.center()), invalid_option,
                       Message("the configuration to start with belongs to another search space than [parameters]"));
  settings wrong{.parameters = space};
  wrong.stability.patience = 0;
  CHECK_THROWS_AS(make_pipeline(wrong), invalid_option);
}

TEST_CASE("a learning rate of a name that no parameter has is an error, and a space without one says so") {
  search_space const space{real{"lr", 1e-4, 1.0, scale::log}};
  CHECK_THROWS_MATCHES(make_pipeline({.parameters = space, .tuning = {.learning_rate = "lrr"}}), invalid_option,
                       Message("[tuning] learning_rate: \"lrr\" is not among the parameters; did you mean \"lr\"?"));
  search_space const other{real{"eta", 1e-4, 1.0, scale::log}};
  CHECK(has(make_pipeline({.parameters = other}).ask().events, event::not_located));
  CHECK(has(make_pipeline({.parameters = other}).ask().events, event::no_learning_rate));
  CHECK_FALSE(
      has(make_pipeline({.parameters = other, .tuning = {.learning_rate = "eta"}}).ask().events, event::not_located));
  CHECK_FALSE(
      has(make_pipeline({.parameters = other, .tuning = {.range_test = false}}).ask().events, event::not_located));
  search_space const of_choices{categorical{"lr", {0.1, 0.01}}};
  CHECK(make_pipeline({.parameters = of_choices}).ask().number == 1);
}

TEST_CASE("all frames come from the memory that is given") {
  std::vector<std::byte> storage(1 << 16);
  std::pmr::monotonic_buffer_resource memory(storage.data(), storage.size(), std::pmr::null_memory_resource());
  settings const chosen = parse_settings(lr + "[tuning]\nobjective = \"step\"\ndirection = \"max\"\n");
  std::pmr::memory_resource* const before = std::pmr::set_default_resource(std::pmr::null_memory_resource());
  suggestions tuning = make_pipeline(chosen, {}, &memory);
  std::pmr::set_default_resource(before);
  tuning.ask();
  tuning.tell(0.5);
  CHECK(tuning.ask().number == 2);
}

TEST_CASE("no step reads a clock") {
  support::clock_reads const before;
  (void)std::chrono::steady_clock::now();
  CHECK(before.since() == (support::clock_reads::counted() ? 1 : 0));
  settings chosen;
  chosen.parameters = search_space{real{"lr", 1e-4, 1.0, scale::log}};
  chosen.tuning.tune_n_steps = 4;
  suggestions tuning = make_pipeline(chosen);
  support::noisy_quadratic network(5);
  support::clock_reads const reads;
  for (int i = 0; i < 500; ++i) tuning.tell(network.step(tuning.ask().values[0]));
  CHECK(reads.since() == 0);
}

namespace {

/// Turns to ever other values, and numbers its suggestions or does not.
suggestions turning(configuration values, std::uint64_t step) {
  suggestion next{.number = step, .values = std::move(values), .why = reason::explore};
  for (double rate = 1e-3;; rate = rate < 0.1 ? 1.07 * rate : 1e-3) {
    next.values.assign(0, rate);
    co_yield next;
    next.number += step;
  }
}

}  // namespace

TEST_CASE("steps that cannot be counted are counted as one") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (hook const objective : {hook::step, hook::epoch}) {
    settings const chosen{.parameters = search_space{real{"lr", 1e-6, 1e2, scale::log}},
                          .tuning = {.objective = objective, .seed = 2, .horizon = 3000}};
    std::vector<std::vector<double>> rates;
    for (double const steps : {1.0, not_a_number, infinity, -infinity, -2.0}) {
      support::noisy_quadratic network(3);
      suggestions tuning = make_pipeline(chosen);
      std::vector<double>& seen = rates.emplace_back();
      for (std::size_t i = 0; i < 600; ++i) {
        seen.push_back(tuning.ask().values[0]);
        tuning.tell({.metric = network.step(seen.back()), .steps = steps, .restorable = true});
      }
      CHECK(seen == rates.front());
    }
  }
}

TEST_CASE("steps that add up to more than there are numbers for end no run") {
  suggestions tuning = make_pipeline(parse_settings(lr));
  for (std::size_t i = 0; i < 200; ++i) {
    REQUIRE(std::isfinite(tuning.ask().values[0]));
    tuning.tell({.metric = 1.0, .steps = std::numeric_limits<double>::max(), .covers = coverage::step});
  }
}

TEST_CASE("a tuner that leaves its suggestions without numbers is followed as any other") {
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}, real{"momentum", 0.0, 0.9}};
  auto const trace = [&](auto const& stage, std::uint64_t step, double slope) {
    suggestions tuner = turning(space.center(), step) | stage;
    std::vector<double> all;
    double metric = 3.0;
    for (int i = 0; i < 400; ++i) {
      suggestion const& asked = tuner.ask();
      CHECK(asked.number == static_cast<std::uint64_t>(i + 1));
      all.insert(all.end(), asked.values.values().begin(), asked.values.values().end());
      all.push_back(static_cast<double>(asked.why));
      all.push_back(static_cast<double>(asked.state));
      all.push_back(static_cast<double>(asked.events));
      tuner.tell({.metric = metric += slope, .restorable = i > 0 || slope < 0.0});
    }
    return all;
  };
  auto const check = [&](auto const& stage) {
    for (double const slope : {-0.001, 0.0, 0.01}) CHECK(trace(stage, 0, slope) == trace(stage, 1, slope));
  };
  check(anneal({.horizon = 300}));
  check(range_test({.horizon = 400}));
  check(branch_test({.horizon = 400, .budget = 0.5, .least_steps = 8}));
  check(bracket({.horizon = 20, .always = true}));
  check(bracket({.horizon = 400, .always = true}));
  check(every(3));
  check(guard());
}

TEST_CASE("a stage refuses a parameter that is not in the space; only the usual name may be missing") {
  search_space const space{real{"learning_rate", 1e-5, 1e-1, scale::log}, real{"group0.momentum", 0.0, 0.99}};
  auto const tuner = [&] { return support::steady(space.center()); };
  auto const refused = [](suggestions made, std::string const& why) { CHECK_THROWS_WITH(made.ask(), why); };
  std::string const near = "\"learning_rat\" is not among the parameters; did you mean \"learning_rate\"?";
  refused(tuner() | anneal({.parameter = "learning_rat"}), "anneal: parameter = " + near);
  refused(
      tuner() | anneal({.parameter = "momentum"}),
      "anneal: parameter = \"momentum\" is not among the parameters; known: \"learning_rate\", \"group0.momentum\"");
  refused(tuner() | branch_test({.parameter = "learning_rat", .horizon = 5000}), "branch_test: parameter = " + near);
  refused(tuner() | range_test({.parameter = "learning_rat"}), "range_test: parameter = " + near);
  refused(tuner() | bracket({.parameter = "learning_rat"}), "bracket: parameter = " + near);
  refused(tuner() | guard({.safety = {"momentum", "learning_rat"}}), "guard: safety = " + near);
  auto usual = tuner() | anneal() | branch_test({.horizon = 5000}) | range_test() | bracket() | guard();
  CHECK_NOTHROW(usual.ask());
  auto named = tuner() | anneal({.parameter = "learning_rate"}) | guard({.safety = {"learning_rate", "momentum"}});
  CHECK_NOTHROW(named.ask());
}
