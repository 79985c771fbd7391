#pragma once
#include <torch/optim/adam.h>
#include <torch/optim/optimizer.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;

inline constexpr double unlimited = std::numeric_limits<double>::infinity();

using maker = std::function<std::unique_ptr<torch::optim::Optimizer>(std::vector<at::Tensor>)>;

template <class Optimizer, class Options>
maker made_with(Options options) {
  return [options](std::vector<at::Tensor> parameters) {
    return std::make_unique<Optimizer>(std::move(parameters), options);
  };
}

inline settings chosen_with(std::size_t horizon) {
  return {.parameters = search_space{real{"lr", 1e-5, 1.0, scale::log}},
          .tuning = {.objective = hook::step, .seed = 4, .tune_n_steps = 3, .horizon = horizon},
          .stability = {.max_regression = 0.05, .patience = 2, .cooldown = 4}};
}

/// A run, as a process would make it anew: network, optimizer, tuner. Snapshots do not depend on the clock.
struct resumable_run {
  small_network network;
  std::unique_ptr<torch::optim::Optimizer> optimizer;
  torch_tuner tuner;

  explicit resumable_run(maker const& make, std::size_t horizon = 600, torch_options options = {})
      : optimizer(make(network.parameters())),
        tuner(tune(*optimizer, chosen_with(horizon), with_model(network, std::move(options)))) {}

  static torch_options with_model(small_network& network, torch_options options) {
    options.model = &network;
    options.snapshot_budget = unlimited;
    return options;
  }
  void steps(int count) {
    for (int i = 0; i < count; ++i) {
      double loss = train_step(network, *optimizer);
      if (tuner.steps() % 97 == 96) {
        tuner.on_failure();
        loss = std::numeric_limits<double>::quiet_NaN();
      }
      tuner.on_step_end(loss);
      if (tuner.steps() % 30 == 0) tuner.on_validation_end(loss);
    }
  }
};

inline std::string pipeline_of(torch_tuner& tuner, std::filesystem::path const& file) {
  checkpoint_store store(file);
  tuner.save(store);
  std::optional<checkpoint> const kept = store.read();
  std::span<std::byte const> const bytes = (*kept)["autotunenet pipeline"];
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

inline maker const adam = made_with<torch::optim::Adam>(torch::optim::AdamOptions(0.01));
