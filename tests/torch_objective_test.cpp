#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
#include <torch/optim/sgd.h>

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <vector>

#include "support/refused.hpp"
#include "support/scripted_lines.hpp"
#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
using namespace support;
namespace optim = torch::optim;

TEST_CASE("the hook that is called first carries the objective, the others only report trouble") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}}, seen));
  CHECK(tuner.objective() == hook::first);
  tuner.on_step_end();
  CHECK(tuner.objective() == hook::first);
  tuner.on_epoch_end(2.0);
  CHECK(tuner.objective() == hook::epoch);
  tuner.on_step_end(1.0);
  tuner.on_validation_end(3.0);
  CHECK(seen.size() == 1);
  tuner.on_epoch_end(1.5);
  REQUIRE(seen.size() == 2);
  CHECK(seen[1].metric == 1.5);
}

TEST_CASE("the objective can be named") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  for (hook const objective : {hook::step, hook::epoch, hook::validation}) {
    std::vector<told> seen;
    torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}}, seen), {.objective = objective});
    tuner.on_step_end(1.0);
    tuner.on_epoch_end(2.0);
    tuner.on_validation_end(3.0);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].metric == (objective == hook::step ? 1.0 : objective == hook::epoch ? 2.0 : 3.0));
  }
}

TEST_CASE("validations before training are no objective, however many, unless nothing else comes") {
  small_network net;
  optim::SGD optimizer(net.parameters(), optim::SGDOptions(0.1));
  std::vector<told> seen;
  for (int const checks : {1, 2, 3}) {
    seen.clear();
    torch_tuner steps(optimizer, scripted(rates(), {{{0.1}}}, seen));
    for (int i = 0; i < checks; ++i) steps.on_validation_end(2.3 - 0.1 * i);
    train_step(net, optimizer);
    steps.on_step_end(2.2);
    CHECK(steps.objective() == hook::step);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].metric == 2.2);
  }
  for (int const checks : {0, 1, 2}) {
    seen.clear();
    torch_tuner validations(optimizer, scripted(rates(), {{{0.1}}}, seen));
    for (int i = 0; i < checks; ++i) validations.on_validation_end(2.3);
    train_step(net, optimizer);
    validations.on_validation_end(2.2);
    CHECK(seen.size() == (checks > 0 ? 1 : 0));
    train_step(net, optimizer);
    validations.on_validation_end(2.1);
    CHECK(validations.objective() == hook::validation);
  }
  seen.clear();
  torch_tuner counted(optimizer, scripted(rates(), {{{0.1}}}, seen));
  counted.on_step_end();
  counted.on_validation_end(2.3);
  CHECK(counted.objective() == hook::validation);
  CHECK(seen.size() == 1);
}

TEST_CASE("validations alone are the objective in the end, though nothing shows that parameters move") {
  small_network net;
  optim::SGD optimizer(net.parameters(), optim::SGDOptions(0.1));
  std::vector<told> seen;
  torch_tuner tuner(optimizer, scripted(rates(), {{{0.1}}}, seen));
  for (int i = 0; i < 20; ++i) tuner.on_validation_end(2.0 - 0.1 * i);
  CHECK(tuner.objective() == hook::validation);
  CHECK(seen.size() > 10);
}

TEST_CASE("a validation beside the objective is told with the next observation, once") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}}, seen));
  tuner.on_step_end(1.0);
  tuner.on_validation_end(2.0);
  tuner.on_validation_end(3.0);
  tuner.on_step_end(1.0);
  tuner.on_step_end(1.0);
  tuner.on_validation_end(not_a_number);
  REQUIRE(seen.size() == 4);
  CHECK(std::isnan(seen[0].validation));
  CHECK(seen[1].validation == 3.0);
  CHECK(std::isnan(seen[2].validation));
  CHECK(seen[3].result == outcome::failed);
}

TEST_CASE("an objective that was only the first to come, and comes rarely, is told of once") {
  small_network net;
  optim::SGD optimizer(net.parameters(), optim::SGDOptions(0.1));
  for (hook const named : {hook::first, hook::epoch}) {
    for (int const steps : {9, 10}) {
      std::vector<told> seen;
      torch_tuner tuner(optimizer, scripted(rates(), {{{0.1}}}, seen), {.objective = named});
      for (int epoch = 0; epoch < 5; ++epoch) {
        tuner.on_epoch_end(1.0);
        for (int step = 0; step < steps; ++step) tuner.on_step_end(1.0);
      }
      CHECK(seen.size() == 5);
      CHECK(times(seen, event::rare_objective) == (named == hook::first && steps == 10 ? 1 : 0));
    }
  }
}

TEST_CASE("an observation is one unit of the run's length, however many training steps it took") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}}, seen), {.objective = hook::epoch});
  for (int i = 0; i < 5; ++i) tuner.on_step_end();
  for (int i = 0; i < 2; ++i) tuner.on_step_end(1.0);
  tuner.on_epoch_end(1.0);
  tuner.on_step_end(not_a_number);
  tuner.on_failure();
  tuner.on_epoch_end(1.0);
  CHECK(std::vector{seen[0].steps, seen[1].steps, seen[2].steps, seen[3].steps} == std::vector{1.0, 0.0, 0.0, 1.0});
  CHECK(tuner.steps() == 8);
}

TEST_CASE("a metric may be a tensor of one element, of any type") {
  CHECK(metric_value(at::scalar_tensor(1.5)) == 1.5);
  CHECK(metric_value(at::full({1, 1}, 0.25, at::kHalf)) == 0.25);
  CHECK(metric_value(at::full({1}, 0.25, at::kBFloat16)) == 0.25);
  CHECK(metric_value(at::full({}, 7, at::kLong)) == 7.0);
  CHECK(metric_value(at::full({1}, 2.5, at::kDouble).requires_grad_()) == 2.5);
  CHECK(std::isnan(metric_value(at::full({1}, not_a_number))));
  refused([] { metric_value(at::Tensor()); }, "undefined");
  refused([] { metric_value(at::full({2, 3}, 1.0)); }, "shape [2, 3]");
  refused([] { metric_value(at::full({0}, 1.0)); }, "shape [0]");
  refused([] { metric_value(at::scalar_tensor(c10::complex<double>(1.0, 1.0), at::kComplexDouble)); }, "complex");

  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}}, seen), {.objective = hook::validation});
  tuner.on_step_end(at::full({1}, not_a_number));
  tuner.on_epoch_end(at::full({1}, 1.0));
  tuner.on_validation_end(at::full({1}, 0.5));
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].result == outcome::failed);
  CHECK(seen[1].metric == 0.5);
  refused([&] { tuner.on_validation_end(at::full({2}, 1.0)); }, "shape [2]");
  CHECK(seen.size() == 2);
}
