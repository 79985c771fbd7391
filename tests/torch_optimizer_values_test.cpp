#include <ATen/ops/ones.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "support/refused.hpp"

import autotunenet.torch;

using namespace autotunenet;
using namespace support;
namespace optim = torch::optim;

namespace {

at::Tensor weight() { return at::ones({3}).requires_grad_(); }

void train_step(optim::Optimizer& optimizer) {
  optimizer.zero_grad();
  for (auto const& group : optimizer.param_groups()) {
    for (auto const& p : group.params()) (p * p).sum().backward();
  }
  optimizer.step();
}

template <class Options>
Options& options(optim::Optimizer& optimizer, std::size_t group = 0) {
  return static_cast<Options&>(optimizer.param_groups()[group].options());
}

/// Two groups with options of their own.
template <class Kind, class Options>
Kind two_groups(Options first, Options second) {
  std::vector<optim::OptimizerParamGroup> groups;
  groups.emplace_back(std::vector{weight()}, std::make_unique<Options>(first));
  groups.emplace_back(std::vector{weight()}, std::make_unique<Options>(second));
  return Kind(groups, first);
}

class custom : public optim::Optimizer {
 public:
  struct settings : optim::OptimizerCloneableOptions<settings> {
    double rate = 0.5;
    double get_lr() const override { return rate; }
    void set_lr(double const lr) override { rate = lr; }
  };
  explicit custom(std::vector<at::Tensor> parameters)
      : Optimizer(std::move(parameters), std::make_unique<settings>()) {}
  at::Tensor step(LossClosure) override { return {}; }
};

}  // namespace

TEST_CASE("every hyperparameter of every optimizer is set and read by its name") {
  SECTION("SGD") {
    optim::SGD sgd({weight()}, optim::SGDOptions(0.1));
    optimizer_values values(sgd, {real{"lr", 0.0, 1.0}, real{"momentum", 0.0, 2.0}, real{"dampening", 0.0, 1.0},
                                  real{"weight_decay", 0.0, 1.0}});
    CHECK(values.apply(std::array{0.2, 0.8, 0.1, 0.01}));
    auto& set = options<optim::SGDOptions>(sgd);
    CHECK(std::tuple(set.lr(), set.momentum(), set.dampening(), set.weight_decay()) == std::tuple(0.2, 0.8, 0.1, 0.01));
    CHECK(std::vector(values.read().begin(), values.read().end()) == std::vector{0.2, 0.8, 0.1, 0.01});
  }
  auto const adam = [](auto& optimizer, auto& set) {
    optimizer_values values(optimizer, {real{"lr", 0.0, 1.0}, real{"beta1", 0.0, 0.99}, real{"beta2", 0.0, 0.999},
                                        real{"eps", 0.0, 1.0}, real{"weight_decay", 0.0, 1.0}});
    CHECK(values.apply(std::array{0.2, 0.8, 0.95, 1e-4, 0.01}));
    CHECK(std::tuple(set.lr(), set.betas(), set.eps(), set.weight_decay()) ==
          std::tuple(0.2, std::tuple(0.8, 0.95), 1e-4, 0.01));
    CHECK(std::vector(values.read().begin(), values.read().end()) == std::vector{0.2, 0.8, 0.95, 1e-4, 0.01});
  };
  SECTION("Adam") {
    optim::Adam optimizer({weight()});
    adam(optimizer, options<optim::AdamOptions>(optimizer));
  }
  SECTION("AdamW") {
    optim::AdamW optimizer({weight()});
    adam(optimizer, options<optim::AdamWOptions>(optimizer));
  }
  SECTION("RMSprop") {
    optim::RMSprop rmsprop({weight()});
    optimizer_values values(rmsprop, {real{"lr", 0.0, 1.0}, real{"alpha", 0.0, 0.999}, real{"eps", 0.0, 1.0},
                                      real{"weight_decay", 0.0, 1.0}, real{"momentum", 0.0, 1.0}});
    CHECK(values.apply(std::array{0.2, 0.9, 1e-4, 0.01, 0.5}));
    auto& set = options<optim::RMSpropOptions>(rmsprop);
    CHECK(std::tuple(set.lr(), set.alpha(), set.eps(), set.weight_decay(), set.momentum()) ==
          std::tuple(0.2, 0.9, 1e-4, 0.01, 0.5));
  }
  SECTION("Adagrad") {
    optim::Adagrad adagrad({weight()});
    optimizer_values values(adagrad, {real{"lr", 0.0, 1.0}, real{"lr_decay", 0.0, 1.0}, real{"weight_decay", 0.0, 1.0},
                                      real{"eps", 0.0, 1.0}});
    CHECK(values.apply(std::array{0.2, 0.9, 0.01, 1e-4}));
    auto& set = options<optim::AdagradOptions>(adagrad);
    CHECK(std::tuple(set.lr(), set.lr_decay(), set.weight_decay(), set.eps()) == std::tuple(0.2, 0.9, 0.01, 1e-4));
  }
  SECTION("LBFGS") {
    optim::LBFGS lbfgs({weight()});
    optimizer_values values(
        lbfgs, {real{"lr", 0.0, 1.0}, real{"tolerance_grad", 0.0, 1.0}, real{"tolerance_change", 0.0, 1.0}});
    CHECK(values.apply(std::array{0.2, 0.1, 0.3}));
    auto& set = options<optim::LBFGSOptions>(lbfgs);
    CHECK(std::tuple(set.lr(), set.tolerance_grad(), set.tolerance_change()) == std::tuple(0.2, 0.1, 0.3));
  }
  SECTION("any other: lr alone") {
    custom optimizer({weight()});
    optimizer_values values(optimizer, {real{"lr", 0.0, 1.0}});
    CHECK(values.apply(std::array{0.25}));
    CHECK(options<custom::settings>(optimizer).rate == 0.25);
    refused([&] { optimizer_values(optimizer, {real{"momentum", 0.0, 1.0}}); }, "\"momentum\"");
  }
}

TEST_CASE("a name that the optimizer does not have is refused, and what it has is told") {
  optim::Adam adam({weight()});
  refused(
      [&] { optimizer_values(adam, {real{"momentum", 0.0, 1.0}}); },
      R"(parameter "momentum": Adam has "lr", "beta1", "beta2", "eps", "weight_decay", and no setter has this name)");
  refused([&] { optimizer_values(adam, {real{"weight_decy", 0.0, 1.0}}); }, R"(did you mean "weight_decay"?)");
  for (auto const* other : {"learning_rate", "LR", "Learning_Rate"})
    refused([&] { optimizer_values(adam, {real{other, 0.0, 1.0}}); }, R"(no setter has this name; did you mean "lr"?)");
  refused([&] { optimizer_values(adam, {real{"group1.lr", 0.0, 1.0}}); },
          R"("group1.lr": the optimizer has 1 parameter group, the last one is "group0")");
  refused([&] { optimizer_values(adam, {real{"group0.momentum", 0.0, 1.0}}); }, "Adam has");
  refused([&] { optimizer_values(adam, {real{"group.lr", 0.0, 1.0}}); }, "Adam has");
  refused([&] { optimizer_values(adam, {categorical{"lr", {0.1, "high"}}}); }, "must be numbers");
}

TEST_CASE("lr keeps the ratios of the groups, and brings each group's own value back to the bit") {
  auto sgd = two_groups<optim::SGD>(optim::SGDOptions(0.001), optim::SGDOptions(0.003));
  optimizer_values values(sgd, {real{"lr", 1e-5, 1.0, scale::log}});
  CHECK(values.apply(std::array{0.01}));
  CHECK(options<optim::SGDOptions>(sgd, 0).lr() == 0.01);
  CHECK(std::abs(options<optim::SGDOptions>(sgd, 1).lr() - 0.03) < 1e-15);
  CHECK(values.apply(std::array{0.001}));
  CHECK(options<optim::SGDOptions>(sgd, 0).lr() == 0.001);
  CHECK(options<optim::SGDOptions>(sgd, 1).lr() == 0.003);
}

TEST_CASE("a group that is frozen by lr 0, or has no weight decay, stays so") {
  auto adam =
      two_groups<optim::AdamW>(optim::AdamWOptions(0.0).weight_decay(0.0), optim::AdamWOptions(0.01).weight_decay(0.1));
  optimizer_values values(adam, {real{"lr", 0.0, 1.0}, real{"weight_decay", 0.0, 1.0}});
  CHECK(values.read()[0] == 0.01);
  CHECK(values.apply(std::array{0.02, 0.3}));
  CHECK(options<optim::AdamWOptions>(adam, 0).lr() == 0.0);
  CHECK(options<optim::AdamWOptions>(adam, 0).weight_decay() == 0.0);
  CHECK(options<optim::AdamWOptions>(adam, 1).lr() == 0.02);
  CHECK(options<optim::AdamWOptions>(adam, 1).weight_decay() == 0.3);
  CHECK(values.read()[0] == 0.02);
}

TEST_CASE("where all groups are at 0, all get the value") {
  auto sgd = two_groups<optim::SGD>(optim::SGDOptions(0.1), optim::SGDOptions(0.1));
  optimizer_values values(sgd, {real{"weight_decay", 0.0, 1.0}});
  CHECK(values.apply(std::array{0.5}));
  CHECK(options<optim::SGDOptions>(sgd, 0).weight_decay() == 0.5);
  CHECK(options<optim::SGDOptions>(sgd, 1).weight_decay() == 0.5);
}

TEST_CASE("one group is named by its number, and leaves the others alone") {
  auto sgd = two_groups<optim::SGD>(optim::SGDOptions(0.1).momentum(0.5), optim::SGDOptions(0.2).momentum(0.9));
  optimizer_values values(sgd, {real{"group1.lr", 0.0, 1.0}, real{"group0.momentum", 0.0, 1.0}});
  CHECK(values.apply(std::array{0.7, 0.6}));
  CHECK(options<optim::SGDOptions>(sgd, 0).lr() == 0.1);
  CHECK(options<optim::SGDOptions>(sgd, 1).lr() == 0.7);
  CHECK(options<optim::SGDOptions>(sgd, 0).momentum() == 0.6);
  CHECK(options<optim::SGDOptions>(sgd, 1).momentum() == 0.9);
  CHECK(values.read()[0] == 0.7);

  refused([&] { optimizer_values(sgd, {real{"lr", 0.0, 1.0}, real{"group1.lr", 0.0, 1.0}}); },
          R"("group1.lr": group 1 is set by "lr" too; name all groups at once)");
  refused([&] { optimizer_values(sgd, {real{"momentum", 0.0, 1.0}}); },
          R"(the groups disagree, 0.6 in group 0 but 0.9 in group 1)");
}

TEST_CASE("values that LibTorch takes in silence are refused before anything is applied") {
  optim::SGD sgd({weight()}, optim::SGDOptions(0.1).momentum(0.9));
  double dropout = 0.5;
  optimizer_values values(sgd, {real{"dropout", 0.0, 1.0}, real{"momentum", 0.0, 1.0}, real{"lr", 0.0, 1.0}},
                          {{"dropout", [&](double p) { dropout = p; }}});
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (double const bad : {nan, -0.1, infinity, -infinity}) {
    refused([&] { values.apply(std::array{0.1, 0.5, bad}); }, "\"lr\"");
    refused([&] { values.apply(std::array{0.1, bad, 0.5}); }, "\"momentum\"");
    CHECK(dropout == 0.5);
    CHECK(options<optim::SGDOptions>(sgd).momentum() == 0.9);
    CHECK(options<optim::SGDOptions>(sgd).lr() == 0.1);
  }
  refused([&] { values.apply(std::array{nan, 0.5, 0.5}); }, "\"dropout\"");
  refused([&] { values.apply(std::array{0.5, 0.5}); }, "2 values given for a search space of 3");
  refused([&] { values.apply(configuration()); }, "without values");
  refused([&] { values.apply(search_space{real{"lr", 0.0, 1.0}}.center()); }, "another search space");
}

TEST_CASE("a space whose bounds the optimizer cannot take is refused at once") {
  optim::Adam adam({weight()});
  refused([&] { optimizer_values(adam, {real{"lr", -1.0, 1.0}}); },
          R"("lr": -1 is not allowed for group 0 of Adam; lr must be finite and at least 0)");
  refused([&] { optimizer_values(adam, {real{"beta1", 0.5, 1.0}}); }, R"("beta1": 1 is not allowed)");
  refused([&] { optimizer_values(adam, {categorical{"eps", {1e-8, -1.0}}}); }, R"("eps": -1 is not allowed)");
  optim::RMSprop rmsprop({weight()});
  refused([&] { optimizer_values(rmsprop, {real{"alpha", 0.5, 1.0}}); }, "below 1");
  optim::SGD nesterov({weight()}, optim::SGDOptions(0.1).momentum(0.9).nesterov(true));
  refused([&] { optimizer_values(nesterov, {real{"momentum", 0.0, 1.0}}); }, "above 0 with nesterov");
  refused([&] { optimizer_values(nesterov, {real{"dampening", 0.0, 1.0}}); }, "0 with nesterov");
  optimizer_values allowed(nesterov, {real{"momentum", 0.5, 0.9}});
  refused([&] { allowed.apply(std::array{0.0}); }, "above 0 with nesterov");
}

TEST_CASE("a setter that throws leaves the optimizer and the setters before it as they were") {
  optim::SGD sgd({weight()}, optim::SGDOptions(0.1));
  double dropout = 0.5;
  bool broken = false;
  optimizer_values values(
      sgd, {real{"lr", 0.0, 1.0}, real{"dropout", 0.0, 1.0}, real{"clip", 0.0, 1.0}},
      {{"dropout", [&](double p) { dropout = p; }}, {"clip", [&](double) {
                                                       if (broken) throw std::runtime_error("no clipping today");
                                                     }}});
  values.apply(std::array{0.2, 0.3, 0.4});
  broken = true;
  CHECK_THROWS_AS(values.apply(std::array{0.5, 0.6, 0.7}), std::runtime_error);
  CHECK(dropout == 0.3);
  CHECK(options<optim::SGDOptions>(sgd).lr() == 0.2);
  CHECK(std::vector(values.read().begin(), values.read().end()) == std::vector{0.2, 0.3, 0.4});
  broken = false;
  values.apply(std::array{0.5, 0.6, 0.7});
  CHECK(dropout == 0.6);
  CHECK(values.read()[2] == 0.7);
}

TEST_CASE("a setter is called for a change only, and gets what the user means") {
  optim::SGD sgd({weight()}, optim::SGDOptions(0.1));
  std::vector<double> batch, loss;
  optimizer_values values(
      sgd, {categorical{"batch", {32.0, 64.0}}, categorical{"loss", {"mse", "huber"}}},
      {{"batch", [&](double n) { batch.push_back(n); }}, {"loss", [&](double which) { loss.push_back(which); }}});
  CHECK(values.apply(std::array{1.0, 1.0}));
  CHECK_FALSE(values.apply(std::array{1.0, 1.0}));
  CHECK(values.apply(std::array{0.0, 1.0}));
  CHECK(batch == std::vector{64.0, 32.0});
  CHECK(loss == std::vector{1.0});
  CHECK(values.read()[0] == 0.0);
  refused([&] { values.apply(std::array{0.5, 1.0}); }, "the index of a choice");
  refused([&] { values.apply(std::array{2.0, 1.0}); }, "the index of a choice");
}

TEST_CASE("setters without a parameter, without a function or given twice are refused") {
  optim::SGD sgd({weight()}, optim::SGDOptions(0.1));
  search_space const space{real{"lr", 0.0, 1.0}, real{"dropout", 0.0, 1.0}};
  auto const nothing = [](double) {};
  refused([&] { optimizer_values(sgd, space, {{"dropuot", nothing}}); }, R"(did you mean "dropout"?)");
  refused([&] { optimizer_values(sgd, space, {{"dropout"}}); }, "has no function");
  refused([&] { optimizer_values(sgd, space, {{"dropout", nothing}, {"dropout", nothing}}); }, "given twice");
}

TEST_CASE("a setter goes before the hyperparameter of its name") {
  optim::SGD sgd({weight()}, optim::SGDOptions(0.1));
  double seen = 0.0;
  optimizer_values values(sgd, {real{"lr", 0.0, 1.0}}, {{"lr", [&](double v) { seen = v; }}});
  values.apply(std::array{0.7});
  CHECK(seen == 0.7);
  CHECK(options<optim::SGDOptions>(sgd).lr() == 0.1);
}

TEST_CASE("values changed by hand are read back") {
  optim::SGD sgd({weight()}, optim::SGDOptions(0.1));
  double dropout = 0.5;
  optimizer_values values(sgd,
                          {real{"lr", 0.01, 1.0}, real{"dropout", 0.0, 1.0}, categorical{"weight_decay", {0.0, 0.1}}},
                          {{"dropout", [&](double p) { dropout = p; }, [&] { return dropout; }}});
  values.apply(std::array{0.2, 0.25, 1.0});
  options<optim::SGDOptions>(sgd).lr(5.0);
  options<optim::SGDOptions>(sgd).weight_decay(0.03);
  dropout = 0.75;
  CHECK(std::vector(values.read().begin(), values.read().end()) == std::vector{5.0, 0.75, 0.0});
  CHECK(values.apply(std::array{0.2, 0.25, 1.0}));
  CHECK(dropout == 0.25);
  CHECK(options<optim::SGDOptions>(sgd).weight_decay() == 0.1);
}

TEST_CASE("momentum can rise from 0 in the middle of a run") {
  auto const rising = [](optim::Optimizer& optimizer) {
    optimizer_values values(optimizer, {real{"momentum", 0.0, 0.9}});
    values.apply(std::array{0.0});
    train_step(optimizer);
    values.apply(std::array{0.9});
    train_step(optimizer);
    values.apply(std::array{0.0});
    train_step(optimizer);
    values.apply(std::array{0.9});
  };
  SECTION("RMSprop, which has no velocity to go on with") {
    optim::RMSprop rmsprop({weight()});
    rising(rmsprop);
    auto const& state = *rmsprop.state().begin()->second;
    CHECK(static_cast<optim::RMSpropParamState const&>(state).momentum_buffer().abs().sum().item<double>() == 0.0);
    CHECK_NOTHROW(train_step(rmsprop));
  }
  SECTION("SGD, which would go on with the velocity of before") {
    optim::SGD sgd({weight()}, optim::SGDOptions(0.1));
    rising(sgd);
    CHECK(sgd.state().empty());
    CHECK_NOTHROW(train_step(sgd));
  }
}

TEST_CASE("where there is no memory for a velocity, no value has changed") {
  // More bytes than there are addresses, behind one number.
  at::Tensor const huge = at::ones({1}).expand({std::int64_t{1} << 60}).detach().requires_grad_();
  std::vector<optim::OptimizerParamGroup> groups;
  groups.emplace_back(std::vector{weight()}, std::make_unique<optim::RMSpropOptions>(0.1));
  groups.emplace_back(std::vector{huge}, std::make_unique<optim::RMSpropOptions>(0.1));
  optim::RMSprop rmsprop(groups, optim::RMSpropOptions(0.1));
  rmsprop.state()[huge.unsafeGetTensorImpl()] = std::make_unique<optim::RMSpropParamState>();
  double clip = 1.0;
  optimizer_values values(rmsprop, {real{"lr", 0.0, 1.0}, real{"momentum", 0.0, 0.9}, real{"clip", 0.0, 10.0}},
                          {{.name = "clip", .set = [&](double to) { clip = to; }}});
  CHECK_THROWS(values.apply(std::array{0.2, 0.5, 5.0}));
  CHECK(clip == 1.0);
  for (std::size_t const group : {0, 1}) {
    CHECK(options<optim::RMSpropOptions>(rmsprop, group).lr() == 0.1);
    CHECK(options<optim::RMSpropOptions>(rmsprop, group).momentum() == 0.0);
  }
}

TEST_CASE("the start of a pipeline is what the optimizer holds, inside the bounds") {
  auto adam =
      two_groups<optim::Adam>(optim::AdamOptions(3e-4).weight_decay(0.0), optim::AdamOptions(1e-3).weight_decay(0.05));
  optim::Adam const& untouched = adam;
  search_space const space{real{"lr", 1e-5, 1.0, scale::log}, real{"weight_decay", 0.1, 1.0},
                           real{"group1.lr", 0.0, 1.0},       categorical{"beta1", {0.8, 0.9}},
                           real{"dropout", 0.0, 0.5},         real{"clip", 0.0, 2.0}};
  configuration const start = current_values(untouched, space, {{"clip", [](double) {}, [] { return 1.5; }}});
  CHECK(start["lr"] == 3e-4);
  CHECK(start["weight_decay"] == 0.1);
  CHECK(start["group1.lr"] == 1e-3);
  CHECK(start["beta1"] == 0.9);
  CHECK(start["dropout"] == 0.25);
  CHECK(start["clip"] == 1.5);
}
