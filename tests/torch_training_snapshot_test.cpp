#include <c10/core/InferenceMode.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "support/saving_optimizers.hpp"
#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
namespace optim = torch::optim;
using support::kind;
using support::saving_optimizers;

namespace {

/// Saves nothing and does not say so, as LibTorch's base class does.
class silent : public optim::Optimizer {
 public:
  explicit silent(std::vector<at::Tensor> parameters)
      : Optimizer(std::move(parameters), std::make_unique<optim::SGDOptions>(0.1)) {}
  at::Tensor step(LossClosure) override { return {}; }
};

}  // namespace

TEST_CASE("what runs after a restore is what ran after the save, bit for bit") {
  for (kind const& k : saving_optimizers()) {
    for (int const before : {0, 1, 7}) {
      CAPTURE(k.name, before);
      seed(1);
      small_network network;
      auto const optimizer = k.make(network.parameters());
      for (int i = 0; i < before; ++i) train_step(network, *optimizer);

      training_snapshot snapshot;
      snapshot.save(network, *optimizer);
      auto const at_save = weights(network);
      std::vector<double> losses;
      for (int i = 0; i < 9; ++i) losses.push_back(train_step(network, *optimizer));
      auto const first = weights(network);
      CHECK_FALSE(same_bits(first, at_save));

      for (int again = 0; again < 2; ++again) {
        snapshot.restore(*optimizer);
        CHECK(same_bits(weights(network), at_save));
        std::vector<double> replayed;
        for (int i = 0; i < 9; ++i) replayed.push_back(train_step(network, *optimizer));
        CHECK(replayed == losses);
        CHECK(same_bits(weights(network), first));
      }
    }
  }
}

TEST_CASE("a restore after a poisoned stretch leaves no trace of it") {
  for (kind const& k : saving_optimizers()) {
    CAPTURE(k.name);
    seed(2);
    small_network network;
    auto const optimizer = k.make(network.parameters());
    for (int i = 0; i < 3; ++i) train_step(network, *optimizer);
    training_snapshot snapshot;
    snapshot.save(network, *optimizer);
    for (int i = 0; i < 4; ++i) train_step(network, *optimizer);
    auto const healthy = weights(network);

    snapshot.restore(*optimizer);
    for (auto& group : optimizer->param_groups()) group.options().set_lr(std::numeric_limits<double>::quiet_NaN());
    train_step(network, *optimizer);
    snapshot.restore(*optimizer);
    for (int i = 0; i < 4; ++i) train_step(network, *optimizer);
    CHECK(same_bits(weights(network), healthy));
  }
}

TEST_CASE("a restore to before the first step leaves no momentum behind") {
  seed(3);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1).momentum(0.9));
  training_snapshot snapshot;
  snapshot.save(network, sgd);
  train_step(network, sgd);
  CHECK_FALSE(sgd.state().empty());
  snapshot.restore(sgd);
  CHECK(sgd.state().empty());
}

TEST_CASE("a gradient of the abandoned stretch is not applied after a restore") {
  seed(4);
  small_network network;
  optim::Adam adam(network.parameters(), optim::AdamOptions(0.1));
  train_step(network, adam);
  training_snapshot snapshot;
  snapshot.save(network, adam);
  auto const saved = weights(network);
  for (at::Tensor const& p : network.parameters()) p.mutable_grad().fill_(std::numeric_limits<double>::quiet_NaN());
  snapshot.restore(adam);
  for (at::Tensor const& p : network.parameters()) CHECK_FALSE(p.grad().defined());
  adam.step();
  CHECK(same_bits(weights(network), saved));
}

TEST_CASE("each group gets its own options back, in the same object") {
  seed(5);
  small_network network;
  std::vector<optim::OptimizerParamGroup> groups;
  groups.emplace_back(network.first_layer(),
                      std::make_unique<optim::AdamWOptions>(optim::AdamWOptions(0.001).weight_decay(0.0)));
  groups.emplace_back(network.rest(),
                      std::make_unique<optim::AdamWOptions>(optim::AdamWOptions(0.003).betas({0.8, 0.99})));
  optim::AdamW adam(groups);
  training_snapshot snapshot;
  snapshot.save(network, adam);
  auto& held = static_cast<optim::AdamWOptions&>(adam.param_groups()[1].options());
  for (auto& group : adam.param_groups()) {
    static_cast<optim::AdamWOptions&>(group.options()) = optim::AdamWOptions(0.5).betas({0.1, 0.2}).weight_decay(0.7);
  }
  snapshot.restore(adam);
  CHECK(static_cast<optim::AdamWOptions&>(adam.param_groups()[0].options()) ==
        optim::AdamWOptions(0.001).weight_decay(0.0));
  CHECK(held == optim::AdamWOptions(0.003).betas({0.8, 0.99}));
}

TEST_CASE("the random engine is put back, or left alone where so asked") {
  seed(6);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  bool const with = GENERATE(true, false);
  training_snapshot snapshot(with);
  snapshot.save(network, sgd);
  at::Tensor const drawn = at::randn({5});
  snapshot.restore(sgd);
  CHECK(at::equal(at::randn({5}), drawn) == with);
}

TEST_CASE("what came after the save stays as it is") {
  seed(7);
  small_network network;
  optim::SGD sgd(network.first_layer(), optim::SGDOptions(0.05).momentum(0.9));
  train_step(network, sgd);
  training_snapshot snapshot;
  snapshot.save(network, sgd);
  double const rate = learning_rate(sgd);
  at::Tensor const extra = at::randn({2}).requires_grad_();
  sgd.add_param_group(
      optim::OptimizerParamGroup({extra}, std::make_unique<optim::SGDOptions>(optim::SGDOptions(0.7).momentum(0.9))));
  extra.pow(2).sum().backward();
  sgd.step();
  at::Tensor const extra_now = extra.detach().clone();
  sgd.param_groups()[0].options().set_lr(0.9);
  snapshot.restore(sgd);
  CHECK(at::equal(extra, extra_now));
  CHECK(sgd.state().count(extra.unsafeGetTensorImpl()) == 1);
  CHECK(sgd.param_groups()[1].options().get_lr() == 0.7);
  CHECK(learning_rate(sgd) == rate);
}

TEST_CASE("parameters of the optimizer belong to the snapshot though the model does not have them") {
  seed(8);
  small_network network;
  at::Tensor const temperature = at::randn({1}).requires_grad_();
  auto all = network.parameters();
  all.push_back(temperature);
  optim::SGD sgd(all, optim::SGDOptions(0.1));
  training_snapshot snapshot;
  snapshot.save(network, sgd);
  double const before = temperature.item<double>();
  temperature.pow(2).sum().backward();
  sgd.step();
  CHECK(temperature.item<double>() != before);
  snapshot.restore(sgd);
  CHECK(temperature.item<double>() == before);
}

TEST_CASE("a snapshot shares nothing with training") {
  seed(10);
  small_network network;
  optim::Adam adam(network.parameters(), optim::AdamOptions(0.1).amsgrad(true));
  train_step(network, adam);
  training_snapshot snapshot;
  snapshot.save(network, adam);
  auto const moments = [&] {
    auto const& state = *adam.state().at(network.first_bias().unsafeGetTensorImpl());
    auto const& known = static_cast<optim::AdamParamState const&>(state);
    return std::vector{known.exp_avg().clone(), known.exp_avg_sq().clone(), known.max_exp_avg_sq().clone()};
  };
  auto const saved = moments();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3; ++i) train_step(network, adam);
    CHECK_FALSE(same_bits(moments(), saved));
    snapshot.restore(adam);
    CHECK(same_bits(moments(), saved));
  }
}

TEST_CASE("a restore that cannot be done changes nothing") {
  seed(11);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  CHECK_THROWS_AS(training_snapshot().restore(sgd), error);

  training_snapshot snapshot;
  snapshot.save(network, sgd);
  train_step(network, sgd);
  auto const trained = weights(network);
  optim::Adam adam(network.parameters());
  CHECK_THROWS_MATCHES(snapshot.restore(adam), error, MessageMatches(ContainsSubstring("of another kind")));
  CHECK(same_bits(weights(network), trained));
}

TEST_CASE("what cannot be put back is named") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  training_snapshot snapshot;
  snapshot.save(network, sgd);
  network.first_bias().set_data(at::ones({1}).expand({8}));  // eight numbers in one place
  CHECK_THROWS_MATCHES(snapshot.restore(sgd), error, MessageMatches(ContainsSubstring("\"first.bias\"")));
}

TEST_CASE("a snapshot that is saved or restored in inference mode serves the training outside") {
  seed(14);
  small_network network;
  optim::Adam adam(network.parameters(), optim::AdamOptions(0.01));
  train_step(network, adam);
  training_snapshot snapshot;
  {
    c10::InferenceMode const only_looking;
    snapshot.save(network, adam);
  }
  auto const saved = weights(network);
  train_step(network, adam);
  {
    c10::InferenceMode const only_looking;
    snapshot.restore(adam);
  }
  CHECK(same_bits(weights(network), saved));
  CHECK_NOTHROW(train_step(network, adam));
  CHECK_NOTHROW(snapshot.save(network, adam));
  CHECK_NOTHROW(snapshot.restore(adam));
}

TEST_CASE("an optimizer that saves nothing is refused instead of half restored") {
  small_network network;
  silent optimizer(network.parameters());
  CHECK_FALSE(training_snapshot::possible(optimizer));
  CHECK_THROWS_MATCHES(training_snapshot().save(network, optimizer), invalid_option,
                       MessageMatches(ContainsSubstring("does not implement `save`")));
  CHECK_THROWS_MATCHES(training_slots(network, optimizer), invalid_option,
                       MessageMatches(ContainsSubstring("leave the model out")));
}
