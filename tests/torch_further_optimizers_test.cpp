#include <ATen/core/grad_mode.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/randn.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstddef>
#include <limits>
#include <vector>

#include "support/folder.hpp"
#include "support/resumable_run.hpp"

import autotunenet.torch;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
namespace optim = torch::optim;

namespace {

/// Two networks, each with an optimizer of its own: the rate of the second is tuned through a setter.
struct pair_of_networks {
  struct both : torch::nn::Module {
    torch::nn::Linear actor = register_module("actor", torch::nn::Linear(4, 1));
    torch::nn::Linear critic = register_module("critic", torch::nn::Linear(4, 1));
  } model;
  optim::Adam of_actor{model.actor->parameters(), optim::AdamOptions(0.01)};
  optim::Adam of_critic{model.critic->parameters(), optim::AdamOptions(0.02)};
  torch_tuner tuner;

  explicit pair_of_networks(std::vector<optim::Optimizer*> const& also, bool with_get = true)
      : tuner(tune(of_actor, chosen(), options(also, with_get))) {}
  pair_of_networks() : pair_of_networks(std::vector<optim::Optimizer*>{}, true) {}

  static settings chosen() {
    settings made = chosen_with(600);
    made.parameters = search_space{real{"lr", 1e-5, 1.0, scale::log}, real{"critic_lr", 1e-5, 1.0, scale::log}};
    return made;
  }
  torch_options options(std::vector<optim::Optimizer*> const& also, bool with_get) {
    setter rate{.name = "critic_lr", .set = [this](double to) { of_critic.param_groups()[0].options().set_lr(to); }};
    if (with_get) rate.get = [this] { return critic_rate(); };
    return {.model = &model, .setters = {rate}, .also = also, .snapshot_budget = unlimited};
  }
  double critic_rate() const { return of_critic.param_groups()[0].options().get_lr(); }

  /// @param spoilt makes the gradients of the critic NaN in the last step
  void steps(int count, bool spoilt = false) {
    for (int i = 1; i <= count; ++i) {
      at::Tensor const input = at::randn({16, 4});
      of_actor.zero_grad();
      of_critic.zero_grad();
      at::Tensor const loss = at::mse_loss(model.actor->forward(input), input.sum(1, true)) +
                              at::mse_loss(model.critic->forward(input), input.mean(1, true));
      loss.backward();
      if (spoilt && i == count) {
        at::NoGradGuard const no_grad;
        for (at::Tensor const& p : model.critic->parameters())
          p.mutable_grad().fill_(std::numeric_limits<double>::quiet_NaN());
      }
      of_actor.step();
      of_critic.step();
      tuner.on_step_end(loss);
    }
  }
  std::vector<at::Tensor> weights() const {
    std::vector<at::Tensor> all;
    for (at::Tensor const& p : model.parameters()) all.push_back(p.detach().clone());
    return all;
  }
};

/// With the critic's optimizer as one that is put back too.
struct pair_put_back : pair_of_networks {
  explicit pair_put_back(bool with_get = true) : pair_of_networks({&of_critic}, with_get) {}
};

}  // namespace

TEST_CASE("NaN in the gradients of a further optimizer is survived where its state is put back too") {
  for (int const when : {5, 60, 300}) {
    INFO("NaN in step " << when);
    seed(3);
    pair_put_back run;
    run.steps(when, true);
    run.steps(100);
    CHECK(training_snapshot::finite(run.model));
  }
}

TEST_CASE("a run of two optimizers that is resumed goes on to the bit, with the second one's moments and rate") {
  test::folder const place;
  for (bool const with_get : {true, false}) {
    for (int const at : {0, 7, 100, 250}) {
      INFO("saved after " << at << " steps" << (with_get ? "" : ", by a setter without `get`"));
      checkpoint_store store(place / "run");
      seed(5);
      pair_put_back original(with_get);
      original.steps(at);
      original.tuner.save(store);
      original.steps(80);
      seed(99);
      pair_put_back resumed(with_get);
      resumed.tuner.resume(*store.read());
      resumed.steps(80);
      CHECK(same_bits(resumed.weights(), original.weights()));
      CHECK(resumed.critic_rate() == original.critic_rate());
      CHECK(resumed.critic_rate() == resumed.tuner.applied()[1]);
    }
  }
}

TEST_CASE("the rate of a further optimizer is the suggestion's after a return too, where its setter has no `get`") {
  seed(5);
  pair_put_back run(false);
  for (int i = 0; i < 300; ++i) {
    run.steps(1, i % 60 == 59);
    REQUIRE(run.critic_rate() == run.tuner.current().values["critic_lr"]);
  }
}

TEST_CASE("a checkpoint of another number of optimizers is refused, and nothing has changed") {
  test::folder const place;
  checkpoint_store store(place / "run");
  pair_put_back two;
  two.steps(10);
  two.tuner.save(store);
  pair_of_networks one;
  one.steps(3);
  auto const before = one.weights();
  CHECK_THROWS_MATCHES(one.tuner.resume(*store.read()), checkpoint_error,
                       MessageMatches(ContainsSubstring("2 optimizers trained together; here there are 1")));
  CHECK(same_bits(one.weights(), before));
}

TEST_CASE("further optimizers count in what the states take") {
  pair_put_back run;
  run.model.critic->forward(at::randn({16, 4})).mean().backward();
  run.of_critic.step();
  training_slots alone(run.model, run.of_actor);
  training_slots together(run.model, run.of_actor, {.also = {&run.of_critic}});
  alone.carry_out(training_state::mark_candidate);
  together.carry_out(training_state::mark_candidate);
  std::size_t moments = 0;
  for (at::Tensor const& p : run.model.critic->parameters()) moments += 2 * p.nbytes();
  CHECK(together.bytes() == alone.bytes() + moments);
}

TEST_CASE("further optimizers that cannot be are refused: null, the tuned one, one twice, and any without a model") {
  small_network network;
  optim::SGD sgd(network.first_layer(), optim::SGDOptions(0.1));
  optim::SGD more(network.rest(), optim::SGDOptions(0.1));
  auto const refused = [&](std::vector<optim::Optimizer*> const& also, char const* why) {
    CHECK_THROWS_MATCHES(training_slots(network, sgd, {.also = also}), invalid_option,
                         MessageMatches(ContainsSubstring(why)));
  };
  refused({&more, nullptr}, "also: optimizer 1 is null");
  refused({&sgd}, "also: optimizer 0 is given twice");
  refused({&more, &more}, "given twice");
  CHECK_THROWS_MATCHES(tune(sgd, chosen_with(600), {.also = {&more}}), invalid_option,
                       MessageMatches(ContainsSubstring("without a model")));
}
