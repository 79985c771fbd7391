#include <ATen/ops/mse_loss.h>
#include <ATen/ops/randn.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <memory>
#include <vector>

#include "support/folder.hpp"
#include "support/resumable_run.hpp"

import autotunenet.torch;

using namespace autotunenet;
namespace optim = torch::optim;

namespace {

/// A run of two groups, whose rates one parameter tunes.
struct run_of_two_groups {
  small_network network;
  optim::Adam adam;
  torch_tuner tuner;

  explicit run_of_two_groups(bool with_model)
      : adam(groups_of(network)),
        tuner(tune(adam, chosen_with(600),
                   with_model ? resumable_run::with_model(network, {}) : torch_options{.objective = hook::step})) {}

  static std::vector<optim::OptimizerParamGroup> groups_of(small_network const& network) {
    std::vector<optim::OptimizerParamGroup> groups;
    groups.emplace_back(network.first_layer(), std::make_unique<optim::AdamOptions>(0.01));
    groups.emplace_back(network.rest(), std::make_unique<optim::AdamOptions>(0.02));
    return groups;
  }
  double rate(std::size_t group) const { return adam.param_groups()[group].options().get_lr(); }
  void steps(int count) {
    for (int i = 0; i < count; ++i) tuner.on_step_end(train_step(network, adam));
  }
};

}  // namespace

TEST_CASE("a resumed run has the rate of each group back, where one was set by hand too") {
  test::folder const place;
  for (bool const with_model : {true, false}) {
    CAPTURE(with_model);
    checkpoint_store store(place / "run");
    seed(5);
    run_of_two_groups original(with_model);
    original.steps(90);
    original.adam.param_groups()[1].options().set_lr(0.5);
    original.tuner.save(store);
    double const first = original.rate(0);
    original.steps(60);

    seed(98);
    run_of_two_groups resumed(with_model);
    resumed.tuner.resume(*store.read());
    CHECK(resumed.rate(0) == first);
    CHECK(resumed.rate(1) == 0.5);
    if (!with_model) continue;
    resumed.steps(60);
    CHECK(same_bits(weights(resumed.network), weights(original.network)));
    CHECK(resumed.rate(1) == original.rate(1));
  }
}

TEST_CASE("a validation that follows a resume makes the objective where it would have without one") {
  test::folder const place;
  auto const made = [](small_network& network, optim::Optimizer& optimizer) {
    settings chosen = chosen_with(600);
    chosen.tuning.objective = hook::first;
    return tune(optimizer, chosen, resumable_run::with_model(network, {}));
  };
  for (bool const trained : {true, false}) {
    CAPTURE(trained);
    checkpoint_store store(place / "run");
    small_network network;
    optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
    torch_tuner original = made(network, sgd);
    original.on_validation_end(1.0);
    if (trained) train_step(network, sgd);
    original.save(store);
    original.on_validation_end(0.9);
    REQUIRE(original.objective() == (trained ? hook::validation : hook::first));

    small_network other;
    optim::SGD beside(other.parameters(), optim::SGDOptions(0.1));
    torch_tuner resumed = made(other, beside);
    resumed.resume(*store.read());
    resumed.on_validation_end(0.9);
    CHECK(resumed.objective() == original.objective());
  }
}

TEST_CASE("a resume that is refused in the middle of a step leaves the step's gradients") {
  test::folder const place;
  checkpoint_store store(place / "run");
  resumable_run original(adam);
  original.steps(10);
  original.tuner.save(store);
  auto const kept = store.read();
  std::vector<checkpoint_part> cut(kept->parts().begin(), kept->parts().end());
  for (checkpoint_part& part : cut) {
    if (part.name == "autotunenet pipeline") part.bytes.resize(part.bytes.size() / 2);  // what is loaded last
  }
  auto const stepped = [&](bool refused) {
    seed(7);
    resumable_run run(adam);
    run.steps(3);
    run.optimizer->zero_grad();
    at::Tensor const input = at::randn({16, 4});
    at::mse_loss(run.network.forward(input), input.sum(1, true)).backward();
    if (refused) CHECK_THROWS_AS(run.tuner.resume(checkpoint("cut", cut)), checkpoint_error);
    run.optimizer->step();
    return weights(run.network);
  };
  CHECK(same_bits(stepped(true), stepped(false)));
}
