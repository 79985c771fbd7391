#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include <catch2/catch_test_macros.hpp>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

#include "support/scripted_lines.hpp"
#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
using namespace support;
namespace optim = torch::optim;

namespace {

/// Checks that training went back once, and how far.
void went_back_once(std::vector<restoration> const& back, training_state what, std::uint64_t marked_at,
                    std::int64_t steps_undone) {
  REQUIRE(back.size() == 1);
  CHECK(back[0].what == what);
  CHECK(back[0].marked_at == marked_at);
  CHECK(back[0].steps_undone == steps_undone);
}

}  // namespace

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
  went_back_once(back, return_to_good, 0, 4);
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
  went_back_once(back, return_to_best, 55, 33);
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
  went_back_once(back, return_to_origin, 1, 1);

  torch_tuner without(optimizer, scripted(rates(), {{{0.1}}}, seen), {.model = &net});
  spoil(net);
  CHECK_NOTHROW(without.on_step_end(not_a_number));
}
