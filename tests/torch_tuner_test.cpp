#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <ATen/ops/scalar_tensor.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <limits>
#include <new>
#include <stdexcept>
#include <stop_token>
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

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

struct told {
  double metric;
  outcome result;
  std::uint64_t number;
  std::vector<double> applied;
  double steps;
  bool restorable;
  double validation;
  coverage covers;
  event noticed;
};

struct line {
  std::vector<double> values;
  training_state state = training_state::keep;
  reason why = reason::explore;
};

/// Suggests line after line, the last one for ever, and keeps what it is told.
suggestions scripted(search_space space, std::vector<line> script, std::vector<told>& seen, bool ends = false) {
  suggestion next;
  next.values = space.center();
  for (std::size_t i = 0; i < script.size() || !ends; ++i) {
    line const& now = script[std::min(i, script.size() - 1)];
    ++next.number;
    next.values.assign(now.values);
    next.state = i < script.size() ? now.state : training_state::keep;
    next.why = now.why;
    observation const& answer = co_yield next;
    seen.push_back({answer.metric,
                    answer.result,
                    answer.number,
                    {answer.applied.begin(), answer.applied.end()},
                    answer.steps,
                    answer.restorable,
                    answer.validation,
                    answer.covers,
                    answer.noticed});
  }
}

std::vector<outcome> results(std::vector<told> const& seen) {
  std::vector<outcome> all;
  for (told const& t : seen) all.push_back(t.result);
  return all;
}
std::size_t times(std::vector<told> const& seen, event what) {
  std::size_t n = 0;
  for (told const& t : seen) n += has(t.noticed, what) ? 1 : 0;
  return n;
}
void spoil(small_network& network) {
  at::NoGradGuard const no_grad;
  for (at::Tensor const& p : network.parameters()) p.fill_(not_a_number);
}

search_space rates() { return {real{"lr", 1e-6, 100.0, scale::log}}; }
double learning_rate(optim::Optimizer const& optimizer) { return optimizer.param_groups()[0].options().get_lr(); }

template <class Call>
void refused(Call&& call, std::string const& part) {
  CHECK_THROWS_MATCHES(call(), invalid_option, MessageMatches(ContainsSubstring(part)));
}

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

TEST_CASE("an epoch without a number is no failure while the weights are finite, three in a row are") {
  using enum outcome;
  small_network net;
  optim::SGD optimizer(net.parameters(), optim::SGDOptions(0.1));
  for (bool const validates : {false, true}) {
    std::vector<told> seen;
    torch_tuner tuner(optimizer, scripted(rates(), {{{0.1}}}, seen),
                      {.model = &net, .objective = validates ? hook::validation : hook::epoch});
    for (double const metric : {2.0, not_a_number, infinity, 1.9, 1.8, not_a_number, not_a_number, not_a_number, 1.7})
      validates ? tuner.on_validation_end(metric) : tuner.on_epoch_end(metric);
    CHECK((results(seen) ==
           std::vector{measured, skipped, skipped, measured, measured, skipped, skipped, failed, measured}));
    CHECK(times(seen, event::not_measured) == 1);
  }
  std::vector<told> seen;
  torch_tuner tuner(optimizer, scripted(rates(), {{{0.1}}}, seen), {.model = &net});
  tuner.on_epoch_end(1.7);
  spoil(net);
  tuner.on_epoch_end(not_a_number);
  CHECK(seen.back().result == failed);
}

TEST_CASE("a step without a number is no failure while the weights are finite, unless there are as many as others") {
  small_network net;
  optim::SGD optimizer(net.parameters(), optim::SGDOptions(0.1));
  std::vector<told> seen;
  auto const failures = [&](int bad, int good) {
    seen.clear();
    torch_tuner tuner(optimizer, scripted(rates(), {{{0.1}}}, seen), {.model = &net, .objective = hook::step});
    for (int step = 0; step < 60; ++step)
      tuner.on_step_end(step % (bad + good) >= good ? (step % 2 ? not_a_number : infinity) : 1.0);
    std::vector<outcome> const all = results(seen);
    CHECK(seen.size() == 60);
    return std::ranges::count(all, outcome::failed);
  };
  CHECK(failures(1, 9) == 0);
  CHECK(failures(4, 6) == 0);
  CHECK(failures(5, 55) == 1);
  CHECK(failures(2, 1) > 2);
  CHECK(failures(1, 0) == 12);
}

TEST_CASE("in a trial steps without a number are sooner a failure, and at once where weights are not finite") {
  small_network net;
  optim::SGD optimizer(net.parameters(), optim::SGDOptions(0.1));
  std::vector<told> seen;
  torch_tuner trial(optimizer, scripted(rates(), {{{0.1}, training_state::keep, reason::range_test}}, seen),
                    {.model = &net, .objective = hook::step});
  for (int i = 0; i < 3; ++i) trial.on_step_end(infinity);
  CHECK((results(seen) == std::vector{outcome::skipped, outcome::skipped, outcome::failed}));
  torch_tuner tuner(optimizer, scripted(rates(), {{{0.1}}}, seen), {.model = &net, .objective = hook::step});
  spoil(net);
  tuner.on_step_end(not_a_number);
  CHECK(seen.back().result == outcome::failed);
}

TEST_CASE("what may well be infinite, as a mask is, says nothing of training") {
  small_network net;
  net.register_buffer("mask", at::full({2}, -infinity));
  optim::SGD optimizer(net.parameters(), optim::SGDOptions(0.1));
  std::vector<told> seen;
  torch_tuner tuner(optimizer, scripted(rates(), {{{0.1}}}, seen), {.model = &net, .objective = hook::step});
  tuner.on_step_end(not_a_number);
  CHECK(seen.back().result == outcome::skipped);
  at::NoGradGuard const no_grad;
  net.parameters().front().fill_(infinity);
  tuner.on_step_end(not_a_number);
  CHECK(seen.back().result == outcome::failed);
}

TEST_CASE("what is no number beside the objective is passed over while the weights are finite, and told of once") {
  small_network net;
  optim::SGD optimizer(net.parameters(), optim::SGDOptions(0.1));
  std::vector<told> seen;
  torch_tuner tuner(optimizer, scripted(rates(), {{{0.1}}}, seen), {.model = &net, .objective = hook::step});
  for (int i = 0; i < 10; ++i) {
    tuner.on_validation_end(not_a_number);
    tuner.on_epoch_end(infinity);
    tuner.on_step_end(1.0);
  }
  CHECK((results(seen) == std::vector(10, outcome::measured)));
  CHECK(times(seen, event::not_measured) == 1);
  CHECK(std::isnan(seen.back().validation));
  spoil(net);
  tuner.on_validation_end(not_a_number);
  CHECK(seen.back().result == outcome::failed);
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

TEST_CASE("weights that are not finite go back to the latest state that is, though the pipeline asks for none") {
  using enum training_state;
  seed(4);
  small_network net;
  optim::SGD optimizer(net.parameters(), optim::SGDOptions(0.1));
  std::vector<told> seen;
  std::vector<restoration> back;
  torch_tuner tuner(optimizer,
                    scripted(rates(), {{{0.1}, mark_candidate}, {{0.2}, promote | mark_origin}, {{0.3}}}, seen),
                    {.model = &net, .on_restore = [&](restoration const& r) { back.push_back(r); }});
  tuner.on_step_end(train_step(net, optimizer));
  auto const marked = weights(net);
  train_step(net, optimizer);
  spoil(net);
  tuner.on_step_end(not_a_number);
  CHECK(same_bits(weights(net), marked));
  CHECK(learning_rate(optimizer) == 0.3);
  REQUIRE(back.size() == 1);
  CHECK(back[0].what == return_to_origin);
  CHECK(back[0].marked_at == 1);
  CHECK(back[0].steps_undone == 1);

  torch_tuner without(optimizer, scripted(rates(), {{{0.1}}}, seen), {.model = &net});
  spoil(net);
  CHECK_NOTHROW(without.on_step_end(not_a_number));
}

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

TEST_CASE("each NaN and each infinity between two objectives reaches the pipeline as a failure") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}, {{0.2}}, {{0.3}}, {{0.4}}, {{0.5}}}, seen),
                    {.objective = hook::epoch});
  tuner.on_step_end(1.0);
  tuner.on_step_end(not_a_number);
  CHECK(learning_rate(sgd) == 0.2);
  tuner.on_validation_end(-infinity);
  tuner.on_epoch_end(infinity);
  tuner.on_failure();
  REQUIRE(seen.size() == 4);
  for (told const& t : seen) CHECK(t.result == outcome::failed);
  CHECK(learning_rate(sgd) == 0.5);
}

TEST_CASE("a failure before any metric waits for the first one, and is told of the stretch that one covers") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  for (hook const first : {hook::step, hook::epoch, hook::validation}) {
    std::vector<told> seen;
    torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}, {{0.2}}, {{0.3}}}, seen));
    auto const call = [&](double metric) {
      first == hook::step    ? tuner.on_step_end(metric)
      : first == hook::epoch ? tuner.on_epoch_end(metric)
                             : tuner.on_validation_end(metric);
    };
    tuner.on_step_end();
    tuner.on_failure();
    CHECK(seen.empty());
    CHECK(tuner.objective() == hook::first);
    call(2.0);
    call(1.0);
    tuner.on_failure();
    REQUIRE(seen.size() == 3);
    CHECK(seen[0].number == 1);
    CHECK(seen[0].result == outcome::failed);
    CHECK(seen[0].steps == 1.0);
    CHECK(seen[1].result == outcome::measured);
    CHECK(seen[1].metric == 1.0);
    CHECK(seen[2].result == outcome::failed);
    for (told const& t : seen) CHECK(t.covers == (first == hook::step ? coverage::step : coverage::epoch));
  }
}

TEST_CASE("failures alone are told all the same, two as an epoch, and survive a checkpoint") {
  test::folder const place;
  checkpoint_store store(place / "run");
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}, {{0.2}}}, seen));
  tuner.on_failure();
  CHECK(seen.empty());
  tuner.on_failure();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].result == outcome::failed);
  CHECK(seen[0].covers == coverage::epoch);
  CHECK(tuner.objective() == hook::first);
  tuner.on_step_end(1.0);
  REQUIRE(seen.size() == 2);
  CHECK(seen[1].result == outcome::measured);
  CHECK(seen[1].covers == coverage::step);

  auto const rate_after = [&](bool resumes) {
    optim::SGD fresh(network.parameters(), optim::SGDOptions(0.5));
    settings const chosen{.parameters = rates()};
    torch_tuner failed = tune(fresh, chosen), other = tune(fresh, chosen);
    failed.on_failure();
    failed.save(store);
    other.resume(*store.read());
    torch_tuner& goes_on = resumes ? other : failed;
    goes_on.on_step_end(1.0);
    return learning_rate(fresh);
  };
  CHECK(rate_after(true) == rate_after(false));
  CHECK(rate_after(true) < 0.5);
}

TEST_CASE("an observation is one unit of the run's length, however many training steps it took") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
  std::vector<told> seen;
  torch_tuner tuner(sgd, scripted(rates(), {{{0.1}}}, seen), {.objective = hook::epoch});
  for (int i = 0; i < 5; ++i) tuner.on_step_end();
  for (int i = 0; i < 2; ++i) tuner.on_step_end(1.0);
  tuner.on_epoch_end(1.0);
  tuner.on_step_end(std::numeric_limits<double>::quiet_NaN());
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

TEST_CASE("training state goes back though a setter or on_restore throws, and the values in force came with it") {
  using enum training_state;
  seed(1);
  for (bool const setter_throws : {true, false}) {
    small_network network;
    optim::SGD sgd(network.parameters(), optim::SGDOptions(0.5));
    std::vector<told> seen;
    bool broken = false;
    auto const fail = [&](bool now) {
      if (broken && now) throw std::runtime_error("out of memory");
    };
    search_space const space{real{"lr", 1e-6, 1.0, scale::log}, real{"batch", 1.0, 64.0}};
    torch_tuner tuner(sgd,
                      scripted(space, {{{0.1, 8.0}, mark_trial}, {{0.2, 8.0}}, {{0.3, 64.0}, return_to_trial}}, seen),
                      {.model = &network,
                       .setters = {{.name = "batch", .set = [&](double) { fail(setter_throws); }}},
                       .on_restore = [&](restoration const&) { fail(!setter_throws); }});
    auto const marked = weights(network);
    for (int i = 0; i < 2; ++i) {
      broken = i == 1;
      double const loss = train_step(network, sgd);
      if (broken)
        CHECK_THROWS_AS(tuner.on_step_end(loss), std::runtime_error);
      else
        tuner.on_step_end(loss);
    }
    CHECK(same_bits(weights(network), marked));
    CHECK(tuner.current().number == 3);
    broken = false;
    tuner.on_step_end(1.0);
    REQUIRE(seen.size() == 3);
    CHECK(seen[2].number == 3);
    CHECK(seen[2].restorable);
    CHECK(seen[2].applied == std::vector{0.5, 8.0});
    CHECK(learning_rate(sgd) == 0.3);
  }
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

TEST_CASE("a rollback brings weights, optimizer and each group's rate back, then applies its own values") {
  seed(1);
  small_network network;
  std::vector<optim::OptimizerParamGroup> groups;
  groups.emplace_back(network.first_layer(), std::make_unique<optim::AdamOptions>(0.001));
  groups.emplace_back(network.rest(), std::make_unique<optim::AdamOptions>(0.003));
  optim::Adam adam(groups);
  std::vector<told> seen;
  std::vector<restoration> back;
  using enum training_state;
  torch_tuner tuner(
      adam,
      scripted(rates(),
               {{{0.001}, mark_candidate},
                {{0.002}, promote | mark_candidate},
                {{50.0}},
                {{50.0}},
                {{0.001}, return_to_good}},
               seen),
      {.model = &network, .on_restore = [&](restoration const& r) { back.push_back(r); }, .snapshot_budget = infinity});
  auto const initial = weights(network);
  for (int i = 0; i < 3; ++i) tuner.on_step_end(train_step(network, adam));
  CHECK(back.empty());
  CHECK(learning_rate(adam) == 50.0);
  train_step(network, adam);
  tuner.on_step_end(not_a_number);
  CHECK(same_bits(weights(network), initial));
  CHECK(adam.state().empty());
  CHECK(adam.param_groups()[0].options().get_lr() == 0.001);
  CHECK(adam.param_groups()[1].options().get_lr() == 0.003);
  REQUIRE(back.size() == 1);
  CHECK(back[0].what == return_to_good);
  CHECK(back[0].marked_at == 0);
  CHECK(back[0].steps_undone == 4);
  CHECK(seen.back().restorable);
}

TEST_CASE("a network that learns by heart goes back to where validation was best, and the loop learns how far") {
  using enum training_state;
  seed(2);
  small_network network;
  optim::Adam adam(network.parameters(), optim::AdamOptions(0.01));
  std::vector<restoration> back;
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}};
  torch_tuner tuner(adam, quasi_random(space, {.start = space.at({{"lr", 0.01}})}) | every(1000) | anneal(),
                    {.model = &network, .on_restore = [&](restoration const& r) { back.push_back(r); }});
  auto best = weights(network);
  double training = 10.0;
  for (double const validation : {3.0, 2.0, 1.5, 1.3, 1.25, 1.4, 1.8, 1.9}) {
    for (int step = 0; step < 10; ++step) {
      train_step(network, adam);
      tuner.on_step_end(training -= 0.01);
    }
    CHECK(back.empty());
    tuner.on_validation_end(validation);
    train_step(network, adam);
    if (validation == 1.25) best = weights(network);
    tuner.on_step_end(training -= 0.01);
  }
  REQUIRE(back.size() == 1);
  CHECK(back[0].what == return_to_best);
  CHECK(back[0].marked_at == 55);
  CHECK(back[0].steps_undone == 33);
  CHECK(same_bits(weights(network), best));
  CHECK(learning_rate(adam) == 0.01 * 0.25);
}

TEST_CASE("a trial is taken back without a trace, the random engine included") {
  using enum training_state;
  auto const run = [](bool with_trial) {
    seed(2);
    small_network network;
    optim::Adam adam(network.parameters(), optim::AdamOptions(0.01));
    std::vector<told> seen;
    std::vector<line> script{{{0.01}}};
    if (with_trial)
      script = {{{0.01}}, {{0.01}, mark_trial}, {{10.0}}, {{90.0}}, {{0.01}, return_to_trial | drop_trial}};
    torch_tuner tuner(adam, scripted(rates(), script, seen), {.model = &network});
    int const steps = with_trial ? 4 : 1;
    for (int i = 0; i < steps; ++i) tuner.on_step_end(train_step(network, adam));
    for (int i = 0; i < 5; ++i) tuner.on_step_end(train_step(network, adam));
    return weights(network);
  };
  CHECK(same_bits(run(true), run(false)));
}

TEST_CASE("without the model, flags are ignored and the pipeline is told that nothing can be put back") {
  using enum training_state;
  seed(3);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  std::vector<told> seen;
  torch_tuner tuner(
      sgd,
      scripted(rates(), {{{0.01}, mark_candidate | mark_trial}, {{0.01}, return_to_trial | promote | return_to_good}},
               seen));
  CHECK_FALSE(tuner.restorable());
  tuner.on_step_end(train_step(network, sgd));
  auto const trained = weights(network);
  tuner.on_step_end(1.0);
  CHECK(same_bits(weights(network), trained));
  CHECK_FALSE(seen.back().restorable);
}

TEST_CASE("a return to what was never saved is reported once, as not restorable") {
  using enum training_state;
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  std::vector<told> seen;
  torch_tuner tuner(sgd, scripted(rates(), {{{0.01}, return_to_good}, {{0.01}}}, seen), {.model = &network});
  tuner.on_step_end(1.0);
  tuner.on_step_end(1.0);
  CHECK_FALSE(seen[0].restorable);
  CHECK(seen[1].restorable);
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
