#include <torch/optim/adam.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/folder.hpp"
#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
namespace optim = torch::optim;

TEST_CASE("one call makes a tuner from an optimizer and a settings file, and it trains from any start") {
  test::folder const place;
  std::ofstream(place / "tuning.toml") << "[parameters]\nlr = { min = 1e-6, max = 10.0, scale = \"log\" }\n"
                                          "[tuning]\nobjective = \"step\"\nhorizon = 600\nseed = 5\n";
  for (double const start : {1e-6, 5.0}) {
    seed(3);
    small_network network;
    optim::Adam adam(network.parameters(), optim::AdamOptions(start));
    torch_tuner tuner = tune(adam, place / "tuning.toml", {.model = &network});
    CHECK(tuner.objective() == hook::step);
    network.eval();
    at::Tensor const inputs = at::randn({64, 4});
    at::Tensor const targets = inputs.sum(1, true);
    double first = 0.0;
    double last = 0.0;
    for (int step = 0; step < 600; ++step) {
      adam.zero_grad();
      at::Tensor const loss = at::mse_loss(network.forward(inputs), targets);
      loss.backward();
      adam.step();
      tuner.on_step_end(loss);
      if (step == 0) first = loss.item<double>();
      last = loss.item<double>();
    }
    INFO("start " << start << ": " << first << " to " << last);
    CHECK(last < 0.1 * first);
  }
}

TEST_CASE("what the optimizer cannot take of a settings file is told with its place") {
  test::folder const place;
  std::string const file = (place / "tuning.toml").string();
  small_network network;
  optim::Adam adam(network.parameters());
  auto const refusal = [&](std::string const& parameter) -> std::string {
    std::ofstream(file) << "[parameters]\nlr = { min = 1e-6, max = 10.0, scale = \"log\" }\n" << parameter << "\n";
    try {
      (void)tune(adam, std::filesystem::path(file));
    } catch (settings_error const& error) {
      return error.what();
    }
    return "none";
  };
  CHECK(
      refusal("learning_rate = { min = 0.1, max = 0.5 }") ==
      file +
          ":3:1: [parameters] learning_rate: Adam has \"lr\", \"beta1\", \"beta2\", \"eps\", \"weight_decay\", and no "
          "setter has this name; did you mean \"lr\"?");
  CHECK(
      refusal("  beta1 = { min = 0.5, max = 2.5 }").starts_with(file + ":3:3: [parameters] beta1: 2.5 is not allowed"));
  CHECK(refusal("\"group0.lr\" = { min = 1e-6, max = 1.0 }")
            .starts_with(file + ":3:1: [parameters] group0.lr: group 0 is set by \"lr\" too"));
  CHECK(refusal("") == "none");
  std::ofstream(file) << "[tuning]\nseed = 1\n";
  CHECK_THROWS_MATCHES(tune(adam, std::filesystem::path(file)), settings_error,
                       MessageMatches(ContainsSubstring(file + ": [parameters] is missing")));
}

TEST_CASE(
    "a loop that tells only of its epochs or validations trains from any start, and a loader learns what was undone") {
  // Nothing but the horizon says that these are epochs.
  settings const chosen{.parameters = search_space{real{"lr", 1e-6, 100.0, scale::log}}, .tuning = {.horizon = 20}};
  for (double const start : {1e-5, 1e-2, 10.0})
    for (bool const validates : {false, true}) {
      seed(3);
      small_network network;
      network.eval();
      optim::Adam adam(network.parameters(), optim::AdamOptions(start));
      std::int64_t position = 0, lasting = 0;
      torch_tuner tuner = tune(adam, chosen, {.model = &network, .on_restore = [&](restoration const& back) {
                                                lasting -= back.steps_undone;
                                                position = static_cast<std::int64_t>(back.marked_at);
                                              }});
      at::Tensor const inputs = at::randn({64, 4});
      at::Tensor const targets = inputs.sum(1, true);
      double const first = at::mse_loss(network.forward(inputs), targets).item<double>();
      double last = 0.0;
      for (int epoch = 0; epoch < 20; ++epoch) {
        for (int step = 0; step < 50; ++step) {
          adam.zero_grad();
          at::Tensor const loss = at::mse_loss(network.forward(inputs), targets);
          loss.backward();
          adam.step();
          tuner.on_step_end();
          ++position;
          ++lasting;
        }
        last = at::mse_loss(network.forward(inputs), targets).item<double>();
        validates ? tuner.on_validation_end(last) : tuner.on_epoch_end(last);
      }
      INFO("start " << start << ": " << first << " to " << last);
      CHECK(last < 0.1 * first);
      CHECK(tuner.steps() == 1000);
      CHECK(lasting == position);
      CHECK(lasting < 1000);
      CHECK(lasting >= 700);
    }
}

TEST_CASE("NaN that training meets at any time is survived, and nothing NaN stays in the weights") {
  settings const chosen{.parameters = search_space{real{"lr", 1e-6, 10.0, scale::log}},
                        .tuning = {.objective = hook::step, .horizon = 600}};
  for (int const when : {0, 1, 30, 100, 300}) {
    seed(3);
    small_network network;
    optim::Adam adam(network.parameters(), optim::AdamOptions(1e-3));
    torch_tuner tuner = tune(adam, chosen, {.model = &network, .snapshot_budget = 1.0});
    for (int step = 0; step < 600; ++step) {
      double loss = train_step(network, adam);
      if (step == when) {
        spoil(network);
        loss = std::numeric_limits<double>::quiet_NaN();
      }
      tuner.on_step_end(loss);
    }
    INFO("NaN at step " << when);
    for (auto const& p : network.parameters()) CHECK(std::isfinite(p.sum().item<double>()));
  }
}

TEST_CASE("a loop that tells of epochs is not swept through because its first epoch failed") {
  settings const chosen{.parameters = search_space{real{"lr", 1e-6, 10.0, scale::log}}};
  for (int const failures : {1, 2, 3}) {
    small_network network;
    optim::Adam adam(network.parameters(), optim::AdamOptions(1e-2));
    torch_tuner tuner = tune(adam, chosen, {.model = &network});
    int trials = 0;
    for (int epoch = 0; epoch < 60; ++epoch) {
      epoch < failures ? tuner.on_failure() : tuner.on_epoch_end(1.0 / (1.0 + epoch));
      trials += tuner.current().why == reason::range_test;
    }
    INFO(failures << " failures");
    CHECK(trials < 20);
  }
}

TEST_CASE("an observer that is named sees what goes through the tuner, as one of the stage watch does") {
  struct counting : observer {
    std::size_t said = 0, heard = 0;
    void suggested(suggestion const& next) override { said = next.number; }
    void observed(suggestion const&, observation const& seen) override { heard += seen.metric == 1.0 ? 1 : 0; }
  } seen;
  settings const chosen{.parameters = search_space{real{"lr", 1e-6, 10.0, scale::log}},
                        .tuning = {.objective = hook::step}};
  small_network network;
  optim::Adam adam(network.parameters());
  torch_tuner tuner = tune(adam, chosen, {.model = &network, .watched_by = &seen});
  CHECK(seen.said == 1);
  for (int i = 0; i < 3; ++i) tuner.on_step_end(1.0);
  CHECK(seen.heard == 3);
  CHECK(seen.said == 4);
}

TEST_CASE("an optimizer that trains nothing is refused, with a model and without") {
  small_network network;
  optim::Adam adam(std::vector<at::Tensor>{});
  settings const chosen{.parameters = search_space{real{"lr", 1e-6, 10.0, scale::log}}};
  for (torch::nn::Module* const model :
       {static_cast<torch::nn::Module*>(nullptr), static_cast<torch::nn::Module*>(&network)}) {
    CHECK_THROWS_MATCHES(tune(adam, chosen, {.model = model}), invalid_option,
                         MessageMatches(ContainsSubstring("the optimizer has no parameters")));
  }
}

TEST_CASE("settings without parameters are refused by name") {
  small_network network;
  optim::Adam adam(network.parameters());
  CHECK_THROWS_MATCHES(tune(adam, settings{}), invalid_option, MessageMatches(ContainsSubstring("[parameters]")));
}

TEST_CASE("the objective is named once, by the settings or by the options, and never two of them") {
  small_network network;
  optim::Adam adam(network.parameters());
  auto const tuned = [&](hook of_settings, hook of_options, std::size_t warm_up) {
    settings const chosen{.parameters = search_space{real{"lr", 1e-6, 10.0, scale::log}},
                          .tuning = {.objective = of_settings, .warmup_steps = warm_up}};
    return tune(adam, chosen, {.objective = of_options});
  };
  CHECK(tuned(hook::step, hook::first, 10).objective() == hook::step);
  CHECK(tuned(hook::step, hook::step, 10).objective() == hook::step);
  CHECK(tuned(hook::first, hook::step, 10).objective() == hook::step);  // which warm-up is counted by
  CHECK(tuned(hook::first, hook::first, 0).objective() == hook::first);
  CHECK_THROWS_MATCHES(tuned(hook::epoch, hook::step, 0), invalid_option,
                       MessageMatches(ContainsSubstring("\"step\"") && ContainsSubstring("\"epoch\"")));
}

TEST_CASE("a horizon counts epochs where epochs carry the metric, however many steps they have") {
  settings const chosen{.parameters = search_space{real{"lr", 1e-6, 10.0, scale::log}},
                        .tuning = {.objective = hook::epoch, .horizon = 10, .anneal = annealing::linear}};
  auto const rates = [&](int steps) {
    small_network network;
    optim::Adam adam(network.parameters(), optim::AdamOptions(1e-3));
    torch_tuner tuner = tune(adam, chosen);
    std::vector<double> seen;
    for (int epoch = 0; epoch < 10; ++epoch) {
      for (int step = 0; step < steps; ++step) tuner.on_step_end();
      tuner.on_epoch_end(1.0 / (1.0 + epoch));
      seen.push_back(tuner.applied()[0]);
    }
    return seen;
  };
  CHECK(rates(100) == rates(0));
  CHECK(rates(100).front() > 2.0 * rates(100).back());
}
