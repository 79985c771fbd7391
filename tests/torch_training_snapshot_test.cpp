#include <ATen/ops/arange.h>
#include <c10/core/InferenceMode.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>
#include <torch/serialize/archive.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/folder.hpp"
#include "support/optimizer_kind.hpp"
#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
namespace optim = torch::optim;
using support::kind;
using support::one;
using support::parameters;

namespace {

/// Not LibTorch's own, but one that can be saved: SGD in another class.
class derived_sgd : public optim::SGD {
 public:
  using SGD::SGD;
};

/// Saves nothing and does not say so, as LibTorch's base class does.
class silent : public optim::Optimizer {
 public:
  explicit silent(std::vector<at::Tensor> parameters)
      : Optimizer(std::move(parameters), std::make_unique<optim::SGDOptions>(0.1)) {}
  at::Tensor step(LossClosure) override { return {}; }
};

std::vector<kind> const& kinds() {
  static std::vector<kind> const all{
      one<optim::SGD>("SGD", optim::SGDOptions(0.05)),
      one<optim::SGD>("SGD with momentum", optim::SGDOptions(0.05).momentum(0.9).weight_decay(0.01)),
      one<optim::SGD>("SGD with nesterov", optim::SGDOptions(0.05).momentum(0.9).nesterov(true)),
      one<optim::Adam>("Adam", optim::AdamOptions(0.01)),
      one<optim::Adam>("Adam with amsgrad", optim::AdamOptions(0.01).amsgrad(true)),
      one<optim::AdamW>("AdamW", optim::AdamWOptions(0.01)),
      one<optim::AdamW>("AdamW with amsgrad", optim::AdamWOptions(0.01).amsgrad(true)),
      one<optim::RMSprop>("RMSprop", optim::RMSpropOptions(0.01)),
      one<optim::RMSprop>("RMSprop, centered with momentum", optim::RMSpropOptions(0.01).centered(true).momentum(0.9)),
      one<optim::Adagrad>("Adagrad", optim::AdagradOptions(0.05).lr_decay(0.01)),
      one<optim::LBFGS>("LBFGS", optim::LBFGSOptions(0.1).max_iter(3).history_size(4)),
      one<derived_sgd>("a class derived from SGD", optim::SGDOptions(0.05).momentum(0.9)),
  };
  return all;
}

/// Files of a folder that are mapped into this process.
std::size_t mapped_files(std::filesystem::path const& folder) {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find(folder.string()) != std::string::npos ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("what runs after a restore is what ran after the save, bit for bit") {
  for (kind const& k : kinds()) {
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
  for (kind const& k : kinds()) {
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

TEST_CASE("saving again uses the storage that is there") {
  seed(9);
  small_network network;
  optim::Adam adam(network.parameters());
  train_step(network, adam);
  training_snapshot snapshot;
  CHECK(snapshot.empty());
  CHECK(snapshot.bytes() == 0);
  snapshot.save(network, adam);
  auto const bytes = snapshot.bytes();
  std::size_t expected = 0;
  for (at::Tensor const& p : network.parameters()) expected += 3 * p.nbytes();  // itself and two moments
  for (at::Tensor const& b : network.buffers()) expected += b.nbytes();
  CHECK(bytes == expected);
  train_step(network, adam);
  auto const now = weights(network);
  snapshot.save(network, adam);
  CHECK(snapshot.bytes() == bytes);
  train_step(network, adam);
  snapshot.restore(adam);
  CHECK(same_bits(weights(network), now));
  snapshot.clear();
  CHECK(snapshot.empty());
}

TEST_CASE("a restore follows a model that has moved to another device since the save") {
  // A device without storage stands for one that this machine lacks: values cannot be read there, places can.
  small_network network;
  optim::Adam adam(network.parameters(), optim::AdamOptions(0.01));
  train_step(network, adam);
  training_snapshot saved;
  saved.save(network, adam);
  for (at::Tensor& p : network.parameters()) {
    p.mutable_grad().reset();
    p.unsafeGetTensorImpl()->shallow_copy_from(p.detach().to(at::kMeta).getIntrusivePtr());
  }
  saved.restore(adam);
  for (at::Tensor const& p : network.parameters()) {
    auto const& state = static_cast<optim::AdamParamState const&>(*adam.state().at(p.unsafeGetTensorImpl()));
    CHECK(p.is_meta());
    CHECK(state.exp_avg().is_meta());
    CHECK(state.exp_avg_sq().is_meta());
    CHECK(state.exp_avg().sizes() == p.sizes());
  }
}

TEST_CASE("parameters of complex numbers are put back with their momentum") {
  at::Tensor parameter = at::ones({3}, at::kComplexDouble).requires_grad_();
  torch::nn::Module model;
  optim::SGD sgd({parameter}, optim::SGDOptions(0.1).momentum(0.9));
  auto const step = [&] {
    parameter.mutable_grad() = at::ones({3}, at::kComplexDouble);
    sgd.step();
  };
  step();
  training_snapshot saved;
  saved.save(model, sgd);
  step();
  at::Tensor const expected = parameter.detach().clone();
  step();
  saved.restore(sgd);
  step();
  CHECK(parameter.detach().equal(expected));
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

TEST_CASE("a snapshot in files is exact, shares nothing, and leaves no name in the folder") {
  test::folder const place;
  kind const how = GENERATE(from_range(kinds()));
  INFO(how.name);
  seed(21);
  torch::nn::Sequential model(torch::nn::Linear(8, 4096), torch::nn::Tanh(), torch::nn::Linear(4096, 1));
  auto const optimizer = how.make(model->parameters());
  auto const inputs = at::randn({16, 8});
  auto const train = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      optimizer->step([&] {
        optimizer->zero_grad();
        auto loss = model->forward(inputs).square().mean();
        loss.backward();
        return loss;
      });
    }
    std::vector<at::Tensor> all;
    for (auto const& p : model->parameters()) all.push_back(p.detach().clone());
    return all;
  };
  train(3);
  training_snapshot saved(true, place.path());
  saved.save(*model, *optimizer);
  CHECK(std::filesystem::is_empty(place.path()));
  CHECK(mapped_files(place.path()) >= 1);
  auto const first = train(3);
  saved.restore(*optimizer);
  auto const second = train(3);
  for (std::size_t i = 0; i < first.size(); ++i) CHECK(at::equal(first[i], second[i]));

  std::size_t const maps = mapped_files(place.path());
  saved.save(*model, *optimizer);
  CHECK(mapped_files(place.path()) <= maps + 4);  // LBFGS renews what it remembers; the others use what there is
  saved.clear();
  CHECK(mapped_files(place.path()) == 0);
}

TEST_CASE("a snapshot takes the bytes that training changes: weights, and what the optimizer keeps of each") {
  torch::nn::Linear const model(torch::nn::LinearOptions(100, 100).bias(false));
  auto const bytes_per_parameter = [&](optim::Optimizer&& optimizer) {
    model->weight.mutable_grad() = at::ones_like(model->weight);
    optimizer.step();
    training_snapshot saved(false);
    saved.save(*model, optimizer);
    return static_cast<double>(saved.bytes()) / 10'000.0;
  };
  CHECK(bytes_per_parameter(optim::SGD(model->parameters(), optim::SGDOptions(0.1))) == 4.0);
  CHECK(bytes_per_parameter(optim::SGD(model->parameters(), optim::SGDOptions(0.1).momentum(0.9))) == 8.0);
  CHECK(bytes_per_parameter(optim::Adam(model->parameters(), optim::AdamOptions(0.1))) == 12.0);
  CHECK(bytes_per_parameter(optim::Adam(model->parameters(), optim::AdamOptions(0.1).amsgrad(true))) == 16.0);
}

TEST_CASE("a folder in which no file can be made is refused when the snapshot is made") {
  CHECK_THROWS_MATCHES(training_snapshot(true, "/nowhere/at all"), invalid_option,
                       MessageMatches(ContainsSubstring("/nowhere/at all") && ContainsSubstring("No such file")));
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

TEST_CASE("a tensor whose shape has changed since the save has its former shape and values after a restore") {
  seed(12);
  small_network network;
  at::Tensor const bank = network.register_buffer("bank", at::randn({2, 3}));
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1).momentum(0.9));
  train_step(network, sgd);
  training_snapshot snapshot;
  snapshot.save(network, sgd);
  auto const saved = weights(network);
  bank.set_data(at::randn({7, 3}));
  network.first_bias().set_data(at::randn({3}));
  snapshot.restore(sgd);
  CHECK(same_bits(weights(network), saved));
  CHECK(network.first_bias().requires_grad());
  bank.fill_(1.0);
  train_step(network, sgd);
  snapshot.restore(sgd);
  CHECK(same_bits(weights(network), saved));
}

TEST_CASE("what cannot be put back is named") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  training_snapshot snapshot;
  snapshot.save(network, sgd);
  network.first_bias().set_data(at::ones({1}).expand({8}));  // eight numbers in one place
  CHECK_THROWS_MATCHES(snapshot.restore(sgd), error, MessageMatches(ContainsSubstring("\"first.bias\"")));
}

TEST_CASE("sparse momentum is counted, and put back as it was") {
  seed(13);
  torch::nn::Embedding model(torch::nn::EmbeddingOptions(20, 4).sparse(true));
  optim::SGD sgd(model->parameters(), optim::SGDOptions(0.1).momentum(0.9));
  auto const steps = [&](int count) {
    for (int i = 0; i < count; ++i) {
      sgd.zero_grad();
      model->forward(at::arange(i, i + 3)).square().sum().backward();
      sgd.step();
    }
    return model->weight.detach().clone();
  };
  steps(2);
  training_snapshot snapshot;
  snapshot.save(*model, sgd);
  CHECK(snapshot.bytes() > model->weight.nbytes());
  at::Tensor const first = steps(3);
  snapshot.restore(sgd);
  CHECK(at::equal(steps(3), first));
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
