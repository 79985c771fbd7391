#include <ATen/ops/arange.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/folder.hpp"
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

/// Files of a folder that are mapped into this process.
std::size_t mapped_files(std::filesystem::path const& folder) {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find(folder.string()) != std::string::npos ? 1 : 0;
  return count;
}

}  // namespace

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

TEST_CASE("a snapshot in files is exact, shares nothing, and leaves no name in the folder") {
  test::folder const place;
  kind const how = GENERATE(from_range(saving_optimizers()));
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

TEST_CASE("snapshots stay in the folder that was named when the tuner was made, wherever the process goes") {
  test::folder const place, elsewhere;
  auto const here = std::filesystem::current_path();
  std::filesystem::create_directory(place / "states");
  torch::nn::Linear model(200, 200);
  optim::SGD sgd(model->parameters(), optim::SGDOptions(0.01));
  std::filesystem::current_path(place.path());
  training_slots slots(*model, sgd, {.folder = "states"});
  std::filesystem::current_path(elsewhere.path());
  CHECK(slots.carry_out(training_state::mark_candidate).complete);
  CHECK(slots.carry_out(training_state::mark_trial).complete);
  std::vector<std::byte> const kept = save(slots);
  CHECK_NOTHROW(load(slots, kept));
  CHECK(mapped_files(place / "states") == 2);
  std::filesystem::current_path(here);
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
