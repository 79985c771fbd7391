#pragma once
#include <catch2/catch_test_macros.hpp>
#include <coroutine>
#include <cstddef>
#include <random>
#include <vector>

#include "noisy_quadratic.hpp"

import autotunenet;
import autotunenet.testing;
import support.trainee;

using namespace autotunenet;

namespace support {

inline search_space rate_space() { return {real{"lr", 1e-6, 1e2, scale::log}, real{"momentum", 0.0, 0.9}}; }

/// Trains the quadratic as an adapter would, until the sweep has landed.
struct trained {
  std::vector<suggestion> all;
  double landed = 0.0;
  std::size_t extra = 0;
};
inline trained run(suggestions& tuner, noisy_quadratic& training, std::size_t most, double scale = 1.0,
                   double shift = 0.0) {
  trained result;
  trainee<noisy_quadratic> trained_one{training};
  for (std::size_t step = 0; step < most; ++step) {
    suggestion const& s = tuner.ask();
    result.all.push_back(s);
    trained_one.carry_out(s.state);
    if (has(s.events, event::range_test_ended)) {
      result.landed = s.values[0];
      result.extra = step;
    }
    double const loss = trained_one.now.step(s.values[0]);
    tuner.tell({.metric = scale * loss + shift, .restorable = true});
  }
  training = trained_one.now;
  return result;
}

/// A network that has nothing left to learn: its loss is noise about a level that high rates raise for good, by as
/// much.
struct trained_before {
  double tolerated;  // the highest rate that does no harm
  std::mt19937_64 engine{};
  std::normal_distribution<double> noise{0.0, 0.05};
  double harm = 0.0;

  double step(double rate) {
    double const loss = 1.0 + harm + noise(engine);
    if (rate > tolerated) harm += rate;
    return loss;
  }
  bool unharmed() const { return harm == 0.0; }
};

template <class Network>
std::vector<double> landings_of(trainee<Network>& training, double start, std::size_t horizon, std::size_t steps) {
  auto tuner = following(rate_space().at({{"lr", start}})) | range_test({.horizon = horizon});
  std::vector<double> found;
  for (std::size_t step = 0; step < steps; ++step) {
    suggestion const& s = tuner.ask();
    training.carry_out(s.state);
    if (has(s.events, event::range_test_ended | event::backed_off)) {
      if (has(s.state, training_state::return_to_origin)) CHECK(training.now.unharmed());
      // To come back from a pilot is no landing of its own.
      if (found.empty() || found.back() != s.values["lr"]) found.push_back(s.values["lr"]);
    }
    tuner.tell({.metric = training.now.step(s.values["lr"]), .restorable = true});
  }
  CHECK_FALSE(training.origin);
  CHECK_FALSE(training.trial);
  return found;
}

template <class Network>
std::vector<double> landings_of(Network network, double start, std::size_t horizon) {
  trainee<Network> training{network};
  return landings_of(training, start, horizon, 2000);
}

}  // namespace support
