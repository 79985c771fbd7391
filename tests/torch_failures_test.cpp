#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <torch/optim/sgd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <vector>

#include "support/folder.hpp"
#include "support/scripted_lines.hpp"
#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
using namespace support;
namespace optim = torch::optim;

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
