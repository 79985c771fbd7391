#include <ATen/ops/ones.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
namespace optim = torch::optim;

namespace {

optim::OptimizerParamGroup group_of(double rate) {
  return {{at::ones({3}).requires_grad_()}, std::make_unique<optim::SGDOptions>(rate)};
}

/// An optimizer with a group for each rate, whose "lr" is bound.
struct bound {
  optim::SGD sgd;
  optimizer_values values;

  bound(std::initializer_list<double> rates, double min, double max)
      : sgd(made(rates), optim::SGDOptions(0.1)), values(sgd, {real{"lr", min, max}}) {}

  static std::vector<optim::OptimizerParamGroup> made(std::initializer_list<double> rates) {
    std::vector<optim::OptimizerParamGroup> groups;
    for (double const rate : rates) groups.push_back(group_of(rate));
    return groups;
  }
  void set(std::size_t group, double rate) { sgd.param_groups()[group].options().set_lr(rate); }
  double rate(std::size_t group) const { return sgd.param_groups()[group].options().get_lr(); }
  double read() { return values.read()[0]; }
  void apply(double value) { values.apply(std::array{value}); }
};

bool near(double a, double b) { return std::abs(a - b) <= 1e-12 * std::abs(b); }

optim::Adam in_two_groups(small_network& network) {
  std::vector<optim::OptimizerParamGroup> groups;
  groups.emplace_back(network.first_layer(), std::make_unique<optim::AdamOptions>(1e-3));
  groups.emplace_back(network.rest(), std::make_unique<optim::AdamOptions>(1e-3));
  return optim::Adam(std::move(groups));
}

/// Suggests the same for ever, behind a guard.
suggestions steady(configuration start) {
  suggestion next{.values = std::move(start)};
  for (;;) {
    ++next.number;
    co_yield next;
  }
}

}  // namespace

TEST_CASE("a group added later joins with the ratio that it has to the value in force then") {
  bound b({1e-5}, 1e-6, 1.0);
  b.apply(0.03);
  b.sgd.add_param_group(group_of(0.003));
  SECTION("which was applied") {
    CHECK(b.read() == 0.03);
    b.apply(0.03);
    CHECK(b.rate(1) == 0.003);
    b.apply(0.06);
    CHECK(b.rate(0) == 0.06);
    CHECK(near(b.rate(1), 0.006));
  }
  SECTION("which was applied, also where nothing is read before the next") {
    b.apply(0.06);
    CHECK(near(b.rate(1), 0.006));
  }
  SECTION("which was set by hand") {
    b.set(0, 0.3);
    CHECK(b.read() == 0.3);
    b.apply(0.6);
    CHECK(near(b.rate(1), 0.006));
  }
}

TEST_CASE("no ratio takes a group out of the bounds, unless it came with a value beyond") {
  bound b({0.1, 0.5, 0.02, 7.0}, 0.01, 1.0);
  b.apply(0.1);
  CHECK(b.rate(3) == 7.0);
  b.apply(0.4);
  CHECK(b.rate(1) == 1.0);
  CHECK(near(b.rate(2), 0.08));
  CHECK(b.rate(3) == 7.0);
  b.apply(0.02);
  CHECK(near(b.rate(1), 0.1));
  CHECK(b.rate(2) == 0.01);
  CHECK(near(b.rate(3), 1.4));
  CHECK(b.read() == 0.02);
  CHECK_FALSE(b.values.overridden());
}

TEST_CASE("a group set to 0 by hand stays at 0 until it is raised, and then has the ratio that it had") {
  for (std::size_t const out : {0, 1}) {
    CAPTURE(out);
    bound b({0.01, 0.03}, 1e-5, 1.0);
    b.apply(0.02);
    b.set(out, 0.0);
    CHECK(near(b.read(), 0.02));
    CHECK_FALSE(b.values.overridden());
    b.apply(0.04);
    CHECK(b.rate(out) == 0.0);
    CHECK(near(b.rate(1 - out), out == 0 ? 0.12 : 0.04));
    CHECK(near(b.read(), 0.04));
    b.set(out, 1e-4);
    CHECK(near(b.read(), 0.04));
    b.apply(0.01);
    CHECK(b.rate(0) == 0.01);
    CHECK(b.rate(1) == 0.03);
  }
}

TEST_CASE("where all groups are set to 0 by hand, the last value holds and they stay") {
  bound b({0.01, 0.03}, 1e-5, 1.0);
  b.apply(0.02);
  b.set(0, 0.0);
  b.set(1, 0.0);
  CHECK(b.read() == 0.02);
  b.apply(0.02);
  CHECK(b.rate(0) == 0.0);
  CHECK(b.rate(1) == 0.0);
  b.set(1, 0.5);
  CHECK(b.read() == 0.02);
  b.apply(0.02);
  CHECK(b.rate(0) == 0.0);
  CHECK(near(b.rate(1), 0.06));
}

TEST_CASE("a group that began at 0 and is raised joins with the ratio that it has then") {
  bound b({0.0, 0.03}, 1e-5, 1.0);
  b.apply(0.03);
  CHECK(b.rate(0) == 0.0);
  b.set(0, 0.003);
  CHECK(b.read() == 0.03);
  b.apply(0.06);
  CHECK(near(b.rate(0), 0.006));
  CHECK(b.rate(1) == 0.06);
}

TEST_CASE("a group that something else sets is told from one that follows") {
  bound b({0.01, 0.03}, 1e-5, 1.0);
  b.apply(0.02);
  b.set(1, 0.05);
  CHECK(b.read() == 0.02);
  CHECK(b.values.overridden());
  b.apply(0.02);
  CHECK(b.read() == 0.02);
  CHECK_FALSE(b.values.overridden());
  b.set(0, 0.002);
  b.set(1, 0.006);
  CHECK(b.read() == 0.002);
  CHECK_FALSE(b.values.overridden());
}

TEST_CASE("a loop that sets one group at every step is warned once, and the rate does not drift") {
  small_network network;
  optim::Adam adam = in_two_groups(network);
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}};
  torch_tuner tuner(adam, steady(current_values(adam, space)) | guard());
  int warned = 0;
  for (int step = 0; step < 60; ++step) {
    adam.param_groups()[1].options().set_lr(0.1 * adam.param_groups()[0].options().get_lr());
    tuner.on_step_end(1.0);
    warned += has(tuner.current().events, event::overridden) ? 1 : 0;
    if (step < 10) CHECK(warned == 0);
    CHECK(tuner.applied()[0] == 1e-3);
  }
  CHECK(warned == 1);
}

TEST_CASE("a frozen group stays frozen though training goes back to before it was frozen") {
  small_network network;
  optim::Adam adam = in_two_groups(network);
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}};
  torch_tuner tuner(adam, steady(current_values(adam, space)) | guard(),
                    {.model = &network, .snapshot_budget = std::numeric_limits<double>::infinity()});
  auto const rate = [&](std::size_t group) { return adam.param_groups()[group].options().get_lr(); };
  for (int step = 0; step < 50; ++step) tuner.on_step_end(train_step(network, adam));
  adam.param_groups()[0].options().set_lr(0.0);
  tuner.on_step_end(1.0);
  CHECK(rate(0) == 0.0);
  CHECK(rate(1) == 1e-3);
  at::Tensor const frozen = network.first_bias().detach().clone();
  tuner.on_failure();
  CHECK(has(tuner.current().state, training_state::return_to_good));
  for (int step = 0; step < 5; ++step) tuner.on_step_end(train_step(network, adam));
  CHECK(rate(0) == 0.0);
  CHECK(rate(1) > 0.0);
}
