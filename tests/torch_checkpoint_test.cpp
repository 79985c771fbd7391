#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/modules/embedding.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "support/folder.hpp"
#include "support/resumable_run.hpp"

import autotunenet.torch;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
namespace optim = torch::optim;

namespace {

std::vector<std::pair<char const*, maker>> optimizers() {
  return {
      {"SGD", made_with<optim::SGD>(optim::SGDOptions(0.01))},
      {"momentum", made_with<optim::SGD>(optim::SGDOptions(0.01).momentum(0.9))},
      {"Adam", made_with<optim::Adam>(optim::AdamOptions(0.01))},
      {"Adam, amsgrad", made_with<optim::Adam>(optim::AdamOptions(0.01).amsgrad(true))},
      {"AdamW", made_with<optim::AdamW>(optim::AdamWOptions(0.01))},
      {"RMSprop", made_with<optim::RMSprop>(optim::RMSpropOptions(0.01).momentum(0.5).centered(true))},
      {"Adagrad", made_with<optim::Adagrad>(optim::AdagradOptions(0.01))},
      {"LBFGS", made_with<optim::LBFGS>(optim::LBFGSOptions(0.01).max_iter(3))},
  };
}

}  // namespace

TEST_CASE("a resumed run goes on to the bit, whatever the optimizer and whenever it was saved") {
  test::folder const place;
  for (auto const& [name, make] : optimizers()) {
    for (int const at : {0, 1, 30, 61, 130, 200}) {
      INFO(name << ", saved after " << at << " steps");
      checkpoint_store store(place / "run");
      seed(5);
      resumable_run original(make);
      original.steps(at);
      original.tuner.save(store);
      original.steps(120);
      std::vector<at::Tensor> const expected = weights(original.network);

      seed(99);
      resumable_run resumed(make);
      resumed.tuner.resume(*store.read());
      CHECK(resumed.tuner.steps() == static_cast<std::size_t>(at));
      resumed.steps(120);
      CHECK(same_bits(weights(resumed.network), expected));
      CHECK(resumed.tuner.current().number == original.tuner.current().number);
      CHECK(resumed.tuner.applied()[0] == original.tuner.applied()[0]);
      bool const same =
          pipeline_of(resumed.tuner, place / "resumed") == pipeline_of(original.tuner, place / "original");
      CHECK(same);
    }
  }
}

TEST_CASE("saving does not disturb the run") {
  test::folder const place;
  checkpoint_store store(place / "run");
  seed(5);
  resumable_run plain(adam);
  plain.steps(150);
  seed(5);
  resumable_run saved(adam);
  for (int i = 0; i < 15; ++i) {
    saved.steps(10);
    saved.tuner.save(store);
  }
  CHECK(same_bits(weights(saved.network), weights(plain.network)));
}

TEST_CASE("the loop's own parts come with a checkpoint") {
  test::folder const place;
  checkpoint_store store(place / "run");
  resumable_run one(adam);
  std::vector<checkpoint_part> own{{"loader", {std::byte{7}, std::byte{9}}}};
  one.tuner.save(store, own);
  auto const kept = store.read();
  CHECK((*kept)["loader"][1] == std::byte{9});
  own[0].name = "autotunenet pipeline";
  CHECK_THROWS_MATCHES(one.tuner.save(store, own), invalid_option, MessageMatches(ContainsSubstring("are taken")));
}

TEST_CASE("what hook an open objective fell to is taken from the checkpoint") {
  test::folder const place;
  checkpoint_store store(place / "run");
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  search_space const space{real{"lr", 1e-5, 1.0, scale::log}};
  auto const made = [&] { return torch_tuner(sgd, quasi_random(space), {.model = &network}); };
  torch_tuner tuner = made();
  tuner.save(store);
  tuner.on_step_end(1.0);
  tuner.resume(*store.read());
  CHECK(tuner.objective() == hook::first);
  tuner.on_epoch_end(1.0);
  tuner.save(store);
  torch_tuner other = made();
  other.on_step_end(1.0);
  other.resume(*store.read());
  CHECK(other.objective() == hook::epoch);
}

namespace {

/// A run of the first layer, which the rest joins as a group of its own.
struct thawed_run {
  small_network network;
  optim::Adam adam{network.first_layer(), optim::AdamOptions(1e-3)};
  torch_tuner tuner = tune(adam, chosen_with(600), resumable_run::with_model(network, {}));

  void steps(int count) {
    for (int i = 0; i < count; ++i) tuner.on_step_end(train_step(network, adam));
  }
  void thaw(double rate) {
    adam.add_param_group(optim::OptimizerParamGroup(network.rest(), std::make_unique<optim::AdamOptions>(rate)));
  }
  double rate(std::size_t group) const { return adam.param_groups()[group].options().get_lr(); }
};

}  // namespace

TEST_CASE("a run to which a group was added can be resumed at once, with the group's ratio") {
  test::folder const place;
  checkpoint_store store(place / "run");
  for (int const more : {0, 1, 40}) {
    CAPTURE(more);
    seed(6);
    thawed_run original;
    original.steps(90);
    original.thaw(original.rate(0) / 4.0);
    original.steps(more);
    original.tuner.save(store);
    original.steps(60);

    seed(98);
    thawed_run resumed;
    CHECK_THROWS_MATCHES(resumed.tuner.resume(*store.read()), checkpoint_error, MessageMatches(ContainsSubstring("2")));
    resumed.thaw(1e-3);
    resumed.tuner.resume(*store.read());
    resumed.steps(60);
    CHECK(same_bits(weights(resumed.network), weights(original.network)));
    CHECK(resumed.rate(1) == original.rate(1));
  }
}

TEST_CASE("a group that was set to 0 by hand stays so in a resumed run, and has its ratio again when it is raised") {
  test::folder const place;
  checkpoint_store store(place / "run");
  thawed_run original;
  original.steps(90);
  original.thaw(original.rate(0) / 4.0);
  original.steps(1);
  original.adam.param_groups()[1].options().set_lr(0.0);
  original.tuner.save(store);

  thawed_run resumed;
  resumed.thaw(1e-3);
  resumed.tuner.resume(*store.read());
  resumed.steps(5);
  CHECK(resumed.rate(1) == 0.0);
  resumed.adam.param_groups()[1].options().set_lr(0.5);
  resumed.steps(1);
  CHECK(std::abs(resumed.rate(1) / resumed.rate(0) - 0.25) < 1e-12);
}

TEST_CASE("a run with sparse momentum is saved, and goes on to the bit") {
  test::folder const place;
  checkpoint_store store(place / "run");
  struct embedded {
    torch::nn::Embedding model{torch::nn::EmbeddingOptions(50, 4).sparse(true)};
    optim::SGD sgd{model->parameters(), optim::SGDOptions(0.01).momentum(0.9)};
    torch_tuner tuner = tune(sgd, chosen_with(600), {.model = model.get(), .snapshot_budget = unlimited});

    void steps(int count) {
      for (int i = 0; i < count; ++i) {
        sgd.zero_grad();
        at::Tensor const loss = model->forward(at::randint(50, {8})).square().mean();
        loss.backward();
        sgd.step();
        tuner.on_step_end(loss);
      }
    }
  };
  seed(8);
  embedded original;
  original.steps(100);
  original.tuner.save(store);
  original.steps(50);
  seed(97);
  embedded resumed;
  resumed.tuner.resume(*store.read());
  resumed.steps(50);
  CHECK(at::equal(resumed.model->weight, original.model->weight));
}

TEST_CASE("a run whose memory bank has grown is resumed beside a bank of the first length") {
  test::folder const place;
  checkpoint_store store(place / "run");
  struct banked : resumable_run {
    at::Tensor bank = network.register_buffer("bank", at::zeros({1, 4}));
    banked() : resumable_run(adam) {}
    void grow(int count) {
      for (int i = 0; i < count; ++i) {
        bank.set_data(at::full({static_cast<std::int64_t>(tuner.steps()) + 2, 4}, 0.5));
        steps(1);
      }
    }
  };
  seed(5);
  banked original;
  original.grow(150);
  original.tuner.save(store);
  banked resumed;
  resumed.tuner.resume(*store.read());
  CHECK(same_bits(weights(resumed.network), weights(original.network)));
  resumed.grow(50);
  original.network.register_buffer("another", at::zeros({1}));
  CHECK_THROWS_AS(original.tuner.resume(*store.read()), checkpoint_error);
}
