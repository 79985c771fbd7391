#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::Message;

TEST_CASE("settings left alone are allowed, and hold the defaults of the stages") {
  settings const preset;
  CHECK_NOTHROW(check(preset));
  CHECK_FALSE(preset.parameters);
  CHECK(preset.stability.patience == guard_options{}.patience);
  CHECK(preset.stability.cooldown == guard_options{}.cooldown);
  CHECK(preset.stability.max_regression == guard_options{}.max_regression);
  CHECK(preset.tuning.max_delta == guard_options{}.max_delta);
  CHECK(preset.metrics.smoothing_window == smooth_options{}.window);
  guard_options const made = guard_from(preset);
  CHECK(made.warm_up == 0);
  CHECK(made.warm_up_metric == guard_options{}.warm_up_metric);
  CHECK(made.noise_margin == guard_options{}.noise_margin);
}

TEST_CASE("settings from code are checked like those from a file") {
  settings wrong;
  wrong.stability.patience = 0;
  CHECK_THROWS_MATCHES(check(wrong), invalid_option,
                       Message("[stability] patience: 0 is not allowed; allowed: a whole number from 1 to 1000000000"));
  wrong = {};
  wrong.tuning.max_delta = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_MATCHES(check(wrong), invalid_option,
                       Message("[tuning] max_delta: nan is not allowed; allowed: a finite number above 0"));
  wrong = {};
  wrong.tuning.tuner = static_cast<tuner_kind>(7);
  CHECK_THROWS_MATCHES(check(wrong), invalid_option,
                       Message("[tuning] tuner: 7 is not allowed; allowed: one of \"bayesian\", \"tpe\", \"random\""));
  wrong = {};
  wrong.tuning.tune_n_steps = 0;
  CHECK_THROWS_AS(check(wrong), invalid_option);
  wrong = {};
  wrong.tuning.learning_rate = "";
  CHECK_THROWS_MATCHES(check(wrong), invalid_option,
                       Message("[tuning] learning_rate: \"\" is not allowed; allowed: a string that is not empty"));
  wrong = {};
  wrong.stability.back_off = 1.0;
  CHECK_THROWS_AS(check(wrong), invalid_option);
}

TEST_CASE("warm-up is counted in observations of the objective") {
  settings s{.tuning = {.objective = hook::step, .steps_per_epoch = 100, .warmup_epochs = 2, .warmup_steps = 30}};
  CHECK(warm_up_observations(s) == 230);
  s.tuning.objective = hook::epoch;
  CHECK(warm_up_observations(s) == 3);
  s.tuning.objective = hook::validation;
  CHECK(warm_up_observations(s) == 3);
  s.tuning.warmup_steps = 0;
  s.tuning.steps_per_epoch = 0;
  CHECK(warm_up_observations(s) == 2);
  s.tuning.warmup_epochs = 0;
  s.tuning.objective = hook::first;
  CHECK(warm_up_observations(s) == 0);
}

TEST_CASE("a warm-up that cannot be counted says what is missing") {
  settings s{.tuning = {.warmup_epochs = 2}};
  CHECK_THROWS_MATCHES(check(s), invalid_option,
                       Message("[tuning] warmup_epochs: 2 cannot be counted while it is open which hook brings the "
                               "metric; set objective = \"step\", \"epoch\" or \"validation\""));
  s.tuning.objective = hook::step;
  CHECK_THROWS_MATCHES(check(s), invalid_option,
                       Message("[tuning] warmup_epochs: 2 epochs with objective = \"step\" cannot be counted; set "
                               "steps_per_epoch"));
  s.tuning = {.objective = hook::validation, .warmup_steps = 50};
  CHECK_THROWS_MATCHES(check(s), invalid_option,
                       Message("[tuning] warmup_steps: 50 steps with objective = \"validation\" cannot be counted; set "
                               "steps_per_epoch"));
}

TEST_CASE("the metric gate of warm-up opens on the good side, whichever that is") {
  settings s{.tuning = {.warmup_metric_threshold = 0.8}};
  CHECK(guard_from(s).warm_up_metric == 0.8);
  s.tuning.direction = goal::maximize;
  CHECK(guard_from(s).warm_up_metric == -0.8);  // the guard minimises the negated metric
}

TEST_CASE("every key of the stability section reaches the guard") {
  settings s{.tuning = {.objective = hook::epoch, .warmup_epochs = 3, .max_delta = 0.11, .learning_rate = "rate"},
             .stability = {.max_regression = 0.31,
                           .window = 7,
                           .patience = 4,
                           .cooldown = 13,
                           .back_off = 0.25,
                           .rollback = rollback_scope::hyperparameters}};
  guard_options const made = guard_from(s);
  CHECK(made.warm_up == 3);
  CHECK(made.max_delta == 0.11);
  CHECK(made.safety == std::vector<std::string>{"rate"});
  CHECK(made.max_regression == 0.31);
  CHECK(made.window == 7);
  CHECK(made.patience == 4);
  CHECK(made.cooldown == 13);
  CHECK(made.back_off == 0.25);
  CHECK(made.rollback == rollback_scope::hyperparameters);
  s.stability.enabled = false;
  CHECK(guard_from(s).max_regression == std::numeric_limits<double>::infinity());
  CHECK(guard_from(s).max_delta == 0.11);
}

TEST_CASE("the tuner's stride follows the objective until it is set") {
  settings s;
  auto const is = [&](std::size_t of_steps, std::size_t of_epochs) {
    stride const n = tuning_stride(s);
    return n.of_steps == of_steps && n.of_epochs == of_epochs;
  };
  CHECK(is(20, 1));
  s.tuning.objective = hook::step;
  CHECK(is(20, 20));
  s.tuning.objective = hook::epoch;
  CHECK(is(1, 1));
  s.tuning.tune_n_steps = 3;
  CHECK(is(3, 3));
}

TEST_CASE("the reference has every key once, with a default and a meaning") {
  std::set<std::pair<std::string, std::string>> seen;
  for (setting_row const& row : settings_reference()) {
    CAPTURE(row.section, row.key);
    CHECK(seen.emplace(row.section, row.key).second);
    CHECK_FALSE(row.allowed.empty());
    CHECK_FALSE(row.preset.empty());
    CHECK(row.meaning.ends_with("."));
  }
  for (auto const* name :
       {"tune_n_steps", "warmup_epochs", "warmup_metric_threshold", "max_delta", "seed", "direction"}) {
    CHECK(seen.contains({"tuning", name}));
  }
  CHECK(seen.contains({"metrics", "smoothing_window"}));
  for (auto const* name : {"max_regression", "patience", "cooldown"}) CHECK(seen.contains({"stability", name}));
  auto const rows = settings_reference();
  auto const patience = std::ranges::find(rows, "patience", &setting_row::key);
  REQUIRE(patience != rows.end());
  CHECK(patience->preset == "3, or 2 where observations are of epochs");
  CHECK(patience->allowed == "a whole number from 1 to 1000000000");
}
