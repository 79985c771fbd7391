#include <ATen/ops/full.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <stop_token>
#include <utility>
#include <vector>

#include "support/refused.hpp"
#include "support/scripted_lines.hpp"
#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
using namespace support;
namespace optim = torch::optim;

namespace {

std::uint64_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

/// As short as a tuner can be: the rate is halved whenever the loss did not fall.
suggestions halving(configuration start) {
  suggestion next{.values = start};
  double best = infinity;
  for (;;) {
    ++next.number;
    observation const& seen = co_yield next;
    if (!(seen.metric < best)) next.values.set("lr", std::max(1e-6, 0.5 * seen.applied[0]));
    best = std::min(best, seen.metric);
  }
}

}  // namespace

TEST_CASE("the first suggestion is in the optimizer from the beginning, the next after each metric") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}, {{0.2}}, {{0.3}}}, seen));
  CHECK(learning_rate(sgd) == 0.1);
  CHECK(tuner.current().number == 1);
  tuner.on_step_end(1.0);
  CHECK(learning_rate(sgd) == 0.2);
  tuner.on_step_end(0.9);
  CHECK(learning_rate(sgd) == 0.3);
  CHECK(tuner.current().number == 3);
  CHECK(tuner.applied()[0] == 0.3);
}

TEST_CASE("a metric is credited to the suggestion that was in force, never to the next one") {
  // f(w) = w^2 / 2 by gradient descent: with rate r one step takes f to (1 - r)^2 f, so the credit can be computed.
  at::Tensor const w = at::full({1}, 1.0, at::kDouble).requires_grad_();
  optim::SGD sgd({w}, optim::SGDOptions(0.5));
  std::vector<told> seen;
  std::vector<double> const script{0.1, 0.9, 0.3, 0.7, 0.2};
  std::vector<line> lines;
  for (double const rate : script) lines.push_back({{rate}});
  torch_tuner tuner(sgd, scripted(rates(), lines, seen));
  auto const loss = [&] { return 0.5 * w.pow(2).sum(); };

  SECTION("handed over after a measurement that follows the step") {
    double before = loss().item<double>();
    for (std::size_t i = 0; i < script.size(); ++i) {
      sgd.zero_grad();
      loss().backward();
      sgd.step();
      double const after = loss().item<double>();
      tuner.on_step_end(after);
      CHECK(seen.back().number == i + 1);
      CHECK(seen.back().applied[0] == script[i]);
      CHECK(std::abs(after / before - std::pow(1.0 - seen.back().applied[0], 2)) < 1e-12);
      before = after;
    }
  }
  SECTION("the loss of the forward pass, handed over before the step") {
    double before = not_a_number;
    for (std::size_t i = 0; i <= script.size(); ++i) {
      sgd.zero_grad();
      at::Tensor const now = loss();
      now.backward();
      double const in_force = learning_rate(sgd);
      tuner.on_step_end(now);
      CHECK(seen.back().applied[0] == in_force);
      if (i > 1) {
        // The step before this pass ran what this pass is credited to.
        CHECK(std::abs(now.item<double>() / before - std::pow(1.0 - seen.back().applied[0], 2)) < 1e-12);
      }
      before = now.item<double>();
      sgd.step();
    }
  }
}

TEST_CASE("a step allocates nothing, whether the values change or not") {
  small_network network;
  std::vector<optim::OptimizerParamGroup> groups;
  groups.emplace_back(network.first_layer(), std::make_unique<optim::AdamOptions>(0.001));
  groups.emplace_back(network.rest(), std::make_unique<optim::AdamOptions>(0.003));
  optim::Adam adam(groups);
  auto const moving = [](search_space space) -> suggestions {
    suggestion next{.values = space.center()};
    for (;;) {
      ++next.number;
      co_yield next;
      if (next.number % 2 == 0) next.values.assign(0, next.values[0] * 1.01);
    }
  };
  double dropout = 0.0;
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}, real{"beta1", 0.5, 0.99}, real{"dropout", 0.0, 1.0}};
  torch_tuner tuner(adam, moving(space), {.model = &network, .setters = {{"dropout", [&](double p) { dropout = p; }}}});
  tuner.on_step_end(1.0);
  auto const before = allocations;
  for (int i = 0; i < 100; ++i) tuner.on_step_end(1.0);
  tuner.on_failure();
  CHECK(allocations == before);
  CHECK(tuner.current().number == 103);
}

TEST_CASE("a rate changed by hand is what the pipeline is told") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}, {{0.2}}}, seen));
  sgd.param_groups()[0].options().set_lr(0.7);
  tuner.on_step_end(1.0);
  CHECK(seen[0].applied[0] == 0.7);
  CHECK(learning_rate(sgd) == 0.2);
}

TEST_CASE("a loop learns that a trial is under way, until training is back where it was") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  std::vector<told> seen;
  torch_tuner tuner(sgd,
                    scripted(rates(),
                             {{{0.1}, training_state::mark_trial},
                              {{10.0}, training_state::keep, reason::range_test},
                              {{20.0}, training_state::keep, reason::range_test},
                              {{0.1}, training_state::return_to_trial | training_state::drop_trial}},
                             seen),
                    {.model = &network});
  CHECK_FALSE(tuner.in_trial());
  auto const marked = weights(network);
  for (bool const trying : {true, true, false}) {
    tuner.on_step_end(train_step(network, sgd));
    CHECK(tuner.in_trial() == trying);
  }
  CHECK(same_bits(weights(network), marked));
}

TEST_CASE("a run that ends in a trial goes back to what the trial began from") {
  for (training_state const marked : {training_state::mark_trial, training_state::mark_origin}) {
    small_network network;
    optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
    std::vector<told> seen;
    std::vector<restoration> restored;
    torch_tuner tuner(sgd,
                      scripted(rates(),
                               {{{0.1}, training_state::keep},
                                {{0.2}, marked},
                                {{10.0}, training_state::keep, reason::range_test},
                                {{20.0}, training_state::keep, reason::range_test},
                                {{30.0}, training_state::keep, reason::range_test}},
                               seen),
                      {.model = &network, .on_restore = [&](restoration const& of) { restored.push_back(of); }});
    tuner.on_step_end(train_step(network, sgd));
    auto const before = weights(network);
    for (int step = 0; step < 3; ++step) tuner.on_step_end(train_step(network, sgd));
    REQUIRE(tuner.in_trial());
    REQUIRE_FALSE(same_bits(weights(network), before));

    tuner.finish();
    CHECK(same_bits(weights(network), before));
    CHECK(learning_rate(sgd) == 0.1);
    CHECK_FALSE(tuner.in_trial());
    CHECK(tuner.finished());
    REQUIRE(restored.size() == 1);
    CHECK(restored[0].steps_undone == 3);

    tuner.on_step_end(train_step(network, sgd));
    tuner.finish();
    CHECK(seen.size() == 4);
    CHECK(restored.size() == 1);
    CHECK(learning_rate(sgd) == 0.1);
  }
}

TEST_CASE("a run that ends outside of trials stays as it is") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  std::vector<told> seen;
  torch_tuner tuner(sgd, scripted(rates(), {{{0.1}, training_state::mark_trial}, {{0.2}}, {{0.3}}}, seen),
                    {.model = &network});
  tuner.on_step_end(train_step(network, sgd));
  auto const before = weights(network);
  tuner.finish();
  CHECK(same_bits(weights(network), before));
  CHECK(learning_rate(sgd) == 0.2);
  CHECK(tuner.finished());
}

TEST_CASE("a setter that throws leaves the suggestion unapplied, and the next observation says so") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  bool broken = false;
  auto const set = [&](double) {
    if (broken) throw std::runtime_error("out of memory");
  };
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}, real{"batch", 1.0, 64.0}};
  torch_tuner tuner(sgd, scripted(space, {{{0.1, 8.0}}, {{0.2, 64.0}}, {{0.3, 16.0}}}, seen),
                    {.setters = {{"batch", set}}});
  broken = true;
  CHECK_THROWS_AS(tuner.on_step_end(1.0), std::runtime_error);
  CHECK(learning_rate(sgd) == 0.1);
  broken = false;
  tuner.on_failure();
  REQUIRE(seen.size() == 2);
  CHECK(seen[1].number == 2);
  CHECK(seen[1].applied == std::vector{0.1, 8.0});
  CHECK(learning_rate(sgd) == 0.3);
}

TEST_CASE("names the optimizer does not have are refused at construction") {
  small_network network;
  optim::Adam adam(network.parameters());
  std::vector<told> seen;
  search_space const momentum{real{"momentum", 0.0, 0.99}};
  refused([&] { (void)torch_tuner(adam, scripted(momentum, {{{0.9}}}, seen)); },
          R"("momentum": Adam has "lr", "beta1")");
  double set = 0.0;
  torch_tuner const tuner(adam, scripted(momentum, {{{0.9}}}, seen),
                          {.setters = {{"momentum", [&](double v) { set = v; }}}});
  CHECK(set == 0.9);
}

TEST_CASE("a pipeline without a suggestion is refused, and one that ends leaves the last values") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  refused([&] { (void)torch_tuner(sgd, scripted(rates(), {}, seen, true)); }, "ended before its first suggestion");
  refused([&] { (void)torch_tuner(sgd, []() -> suggestions { co_yield suggestion{}; }()); }, "has no values");

  torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}, {{0.2}}}, seen, true));
  tuner.on_step_end(1.0);
  CHECK_FALSE(tuner.finished());
  tuner.on_step_end(1.0);
  CHECK(tuner.finished());
  tuner.on_step_end(not_a_number);
  tuner.on_failure();
  CHECK(learning_rate(sgd) == 0.2);
  CHECK(tuner.current().number == 2);
  CHECK(seen.size() == 2);
}

TEST_CASE("a stop request ends the tuning and not the training") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  std::stop_source stop;
  suggestions pipeline = scripted(rates(), {{{0.1}}, {{0.2}}}, seen);
  pipeline.stop_on(stop.get_token());
  torch_tuner tuner(sgd, std::move(pipeline));
  stop.request_stop();
  CHECK_NOTHROW(tuner.on_step_end(1.0));
  CHECK(tuner.finished());
  CHECK(learning_rate(sgd) == 0.1);
}

TEST_CASE("a training loop that is a coroutine uses the pieces without the tuner") {
  using enum training_state;
  struct loop {
    struct promise_type {
      loop get_return_object() { return {}; }
      std::suspend_never initial_suspend() noexcept { return {}; }
      std::suspend_never final_suspend() noexcept { return {}; }
      void return_void() {}
      void unhandled_exception() { std::terminate(); }
    };
  };
  seed(8);
  small_network network;
  optim::Adam adam(network.parameters(), optim::AdamOptions(0.01));
  auto const initial = weights(network);
  std::vector<told> seen;
  suggestions pipeline =
      scripted(rates(), {{{0.01}, mark_trial}, {{0.1}}, {{0.02}, return_to_trial | drop_trial}}, seen, true);
  bool finished = false;
  [](suggestions& tuning, small_network& model, optim::Optimizer& optimizer, bool& done) -> loop {
    optimizer_values values(optimizer, rates());
    training_slots slots(model, optimizer);
    suggestion const* next = co_await tuning.next();
    while (next) {
      bool const complete = slots.carry_out(next->state).complete;
      values.apply(next->values);
      if (next->number == 3) break;
      double const loss = train_step(model, optimizer);
      next = co_await tuning.next({.metric = loss, .applied = values.read(), .restorable = complete});
    }
    done = next != nullptr;
  }(pipeline, network, adam, finished);
  CHECK(finished);
  CHECK(seen.size() == 2);
  CHECK(same_bits(weights(network), initial));
  CHECK(learning_rate(adam) == 0.02);
}

TEST_CASE("a tuner of ten lines trains a network from a rate that is far too high") {
  seed(6);
  small_network network;
  network.eval();  // no dropout, so that the loss can be compared
  optim::SGD sgd(network.parameters(), optim::SGDOptions(20.0));
  search_space const space = rates();
  torch_tuner tuner(sgd, halving(current_values(sgd, space)), {.objective = hook::epoch});
  double first = not_a_number;
  double last = not_a_number;
  for (int epoch = 0; epoch < 40; ++epoch) {
    double sum = 0.0;
    for (int i = 0; i < 10; ++i) {
      // A clipped gradient keeps a diverging network finite.
      sgd.zero_grad();
      at::Tensor const input = at::randn({32, 4});
      at::Tensor const loss = at::mse_loss(network.forward(input), input.sum(1, true));
      loss.backward();
      for (at::Tensor const& p : network.parameters()) p.mutable_grad().clamp_(-1.0, 1.0);
      sgd.step();
      tuner.on_step_end();
      sum += loss.item<double>();
    }
    tuner.on_epoch_end(sum / 10);
    if (epoch == 0) first = sum / 10;
    last = sum / 10;
  }
  CHECK(learning_rate(sgd) < 2.0);
  CHECK(last < 0.05 * first);
}

TEST_CASE("a scripted guard saves a run that a wild rate would have killed") {
  using enum training_state;
  auto const guarded = [](search_space space) -> suggestions {
    suggestion next;
    next.values = space.at({{"lr", 0.01}});
    next.state = mark_candidate;
    for (int i = 0;; ++i) {
      ++next.number;
      observation const seen = co_yield next;
      next.state = keep;
      if (seen.bad() || seen.metric > 1e4) {
        next.state = return_to_good;
        next.values.set("lr", 0.01);
      } else if (i % 10 == 5) {
        next.state = promote | mark_candidate;
      } else if (i == 32) {
        next.values.set("lr", 100.0);
      }
    }
  };
  seed(7);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.01).momentum(0.9));
  int rescued = 0;
  torch_tuner tuner(
      sgd, guarded(rates()),
      {.model = &network, .on_restore = [&](restoration const&) { ++rescued; }, .snapshot_budget = infinity});
  double early = 0.0;
  double late = 0.0;
  for (int i = 0; i < 150; ++i) {
    double const loss = train_step(network, sgd);
    tuner.on_step_end(loss);
    if (i < 10) early += loss;
    if (i >= 140) late += loss;
  }
  CHECK(rescued > 0);
  CHECK(std::isfinite(late));
  CHECK(late < early);
}
