#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/randn.h>
#include <c10/core/InferenceMode.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/optimizer_kind.hpp"
#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
namespace optim = torch::optim;
using support::kind;
using support::one;
using support::parameters;

namespace {

/// Its decay outweighs the gradient, and points away from what was there, as most loading does.
kind hidden_by_decay() {
  return one<optim::AdamW>("AdamW with strong weight decay", optim::AdamWOptions(1e-3).weight_decay(20.0));
}

std::vector<kind> const& kinds() {
  static std::vector<kind> const all{
      one<optim::SGD>("SGD", optim::SGDOptions(0.01)),
      one<optim::SGD>("SGD with strong weight decay", optim::SGDOptions(0.01).weight_decay(1.0)),
      one<optim::SGD>("SGD with nesterov", optim::SGDOptions(0.01).momentum(0.9).weight_decay(0.01).nesterov(true)),
      one<optim::SGD>("SGD with dampening", optim::SGDOptions(0.01).momentum(0.9).dampening(0.5)),
      one<optim::Adam>("Adam", optim::AdamOptions(1e-3)),
      one<optim::Adam>("Adam with weight decay", optim::AdamOptions(1e-3).weight_decay(0.5).amsgrad(true)),
      one<optim::AdamW>("AdamW", optim::AdamWOptions(1e-3).weight_decay(0.1)),
      hidden_by_decay(),
      one<optim::RMSprop>("RMSprop", optim::RMSpropOptions(1e-3).weight_decay(0.1)),
      one<optim::RMSprop>("RMSprop with momentum", optim::RMSpropOptions(1e-3).centered(true).momentum(0.9)),
      one<optim::Adagrad>("Adagrad", optim::AdagradOptions(0.01).weight_decay(0.1)),
  };
  return all;
}

std::vector<std::string> const nothing{"none"}, anew{"marked anew"};

/// Goes back to the beginning after the first observation, and keeps what the trainer noticed.
suggestions going_back(configuration start, std::vector<std::string>& noticed) {
  suggestion next{.values = std::move(start), .state = training_state::mark_origin | training_state::mark_candidate};
  for (;;) {
    ++next.number;
    observation const& seen = co_yield next;
    noticed.emplace_back(to_string(seen.noticed));
    next.state = next.number == 1 ? training_state::return_to_origin : training_state::keep;
  }
}

/// A network of so many weights, its optimizer, and a tuner that goes back after the first metric.
struct run {
  torch::nn::Sequential model;
  std::unique_ptr<optim::Optimizer> optimizer;
  std::vector<std::string> noticed;
  std::int64_t undone = 0;

  explicit run(kind const& how, std::int64_t width = 32)
      : model(torch::nn::Linear(16, width), torch::nn::Tanh(), torch::nn::Linear(width, 4)),
        optimizer(how.make(model->parameters())) {}

  torch_tuner tuned() {
    search_space const space{real{"lr", 1e-6, 1.0, scale::log}};
    auto const told = [this](restoration const& back) { undone = back.steps_undone; };
    return {
        *optimizer, going_back(current_values(*optimizer, space), noticed), {.model = model.get(), .on_restore = told}};
  }
  double train() {
    optimizer->zero_grad();
    at::Tensor const input = at::randn({8, 16});
    at::Tensor const loss = at::mse_loss(model->forward(input), input.slice(1, 0, 4).sin() + at::randn({8, 4}));
    loss.backward();
    optimizer->step();
    return loss.item<double>();
  }
  void load_others() {
    at::NoGradGuard const no_grad;
    for (at::Tensor const& p : model->parameters()) p.copy_(at::randn(p.sizes()) * 0.3);
  }
  std::vector<at::Tensor> weights() const {
    std::vector<at::Tensor> all;
    for (at::Tensor const& p : model->parameters()) all.push_back(p.detach().clone());
    return all;
  }
};

}  // namespace

TEST_CASE("a first step is no loading of weights, whatever the optimizer") {
  kind const how = GENERATE(from_range(kinds()));
  for (std::uint64_t draw = 0; draw < 10; ++draw) {
    CAPTURE(how.name, draw);
    seed(draw);
    run r(how);
    torch_tuner tuner = r.tuned();
    auto const began = r.weights();
    tuner.on_step_end(r.train());
    REQUIRE(r.noticed == nothing);
    CHECK(same_bits(r.weights(), began));
    CHECK(r.undone == 1);
  }
}

TEST_CASE("weights that were loaded after the tuner was made are what training goes back to, and that is told") {
  kind const how = GENERATE(from_range(kinds()));
  if (how.name == hidden_by_decay().name) return;
  for (std::uint64_t draw = 0; draw < 10; ++draw) {
    CAPTURE(how.name, draw);
    seed(draw);
    run r(how);
    torch_tuner tuner = r.tuned();
    r.load_others();
    double const loss = r.train();
    auto const loaded = r.weights();
    bool const counted_before = draw % 2 == 0;  // a step without a metric is seen just as well
    if (counted_before) tuner.on_step_end();
    counted_before ? tuner.on_epoch_end(loss) : tuner.on_step_end(loss);
    REQUIRE(r.noticed == anew);
    CHECK(same_bits(r.weights(), loaded));
    CHECK(r.undone == 0);
    r.load_others();
    tuner.on_step_end(r.train());
    if (!counted_before) CHECK(r.noticed.back() == "none");
  }
}

TEST_CASE("a step that goes on with the momentum of before is no loading") {
  for (kind const& how : kinds()) {
    for (std::uint64_t draw = 0; draw < 10; ++draw) {
      CAPTURE(how.name, draw);
      seed(draw);
      run r(how);
      for (int i = 0; i < 50; ++i) r.train();
      torch_tuner tuner = r.tuned();
      tuner.on_step_end(r.train());
      CHECK(r.noticed == nothing);
    }
  }
}

TEST_CASE("without gradients, with few weights, and against the gradient nothing is taken for a loading") {
  kind const adam = one<optim::Adam>("Adam", optim::AdamOptions(1e-3));
  seed(3);
  SECTION("gradients gone") {
    run r(adam);
    torch_tuner tuner = r.tuned();
    r.load_others();
    r.train();
    r.optimizer->zero_grad();
    tuner.on_step_end(1.0);
    CHECK(r.noticed == nothing);
  }
  SECTION("few weights") {
    run r(adam, 2);
    torch_tuner tuner = r.tuned();
    r.load_others();
    tuner.on_step_end(r.train());
    CHECK(r.noticed == nothing);
  }
  SECTION("a step along the gradient") {
    run r(adam);
    torch_tuner tuner = r.tuned();
    r.train();
    for (at::Tensor const& p : r.model->parameters()) p.mutable_grad().neg_();
    tuner.on_step_end(1.0);
    CHECK(r.noticed == nothing);
  }
  SECTION("weights that nothing has moved yet") {
    run r(adam);
    torch_tuner tuner = r.tuned();
    auto const began = r.weights();
    tuner.on_step_end(1.0);
    CHECK(r.noticed == nothing);
    CHECK(same_bits(r.weights(), began));
  }
}

TEST_CASE("a pretrained network that is loaded late survives the range test, and the log's event is there") {
  kind const how = one<optim::Adam>("Adam", optim::AdamOptions(1e-3));
  seed(4);
  run r(how);
  settings const chosen{.parameters = search_space{real{"lr", 1e-6, 1.0, scale::log}},
                        .tuning = {.objective = hook::step, .seed = 1, .horizon = 600}};
  torch_tuner tuner = tune(*r.optimizer, chosen, {.model = r.model.get()});
  r.load_others();
  r.train();
  auto const loaded = r.weights();
  tuner.on_step_end(1.0);
  CHECK(has(tuner.current().events, event::marked_anew));
  CHECK(same_bits(r.weights(), loaded));
}

TEST_CASE("a tuner that is made, and told, in inference mode serves the training outside") {
  kind const how = one<optim::Adam>("Adam", optim::AdamOptions(1e-3));
  seed(5);
  run r(how);
  std::unique_ptr<torch_tuner> tuner;
  {
    c10::InferenceMode const only_looking;
    tuner = std::make_unique<torch_tuner>(r.tuned());
  }
  for (int i = 0; i < 3; ++i) {
    double const loss = r.train();
    c10::InferenceMode const only_looking;
    CHECK_NOTHROW(tuner->on_step_end(loss));
  }
  CHECK_NOTHROW(r.train());
}
