#include <ATen/ops/ones.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/file_size_limit.hpp"
#include "support/folder.hpp"
#include "support/lasting.hpp"
#include "support/resumable_run.hpp"

import autotunenet.torch;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
namespace optim = torch::optim;

TEST_CASE("a checkpoint of another model or optimizer is refused, and nothing has changed; another horizon is not") {
  test::folder const place;
  checkpoint_store store(place / "run");
  seed(5);
  resumable_run original(adam);
  original.steps(100);
  original.tuner.save(store);
  checkpoint const kept = *store.read();
  auto const refused = [&](resumable_run& other, checkpoint const& from, std::string const& why) {
    other.steps(40);
    std::vector<at::Tensor> const before = weights(other.network);
    suggestion const pending = other.tuner.current();
    CHECK_THROWS_MATCHES(other.tuner.resume(from), checkpoint_error, MessageMatches(ContainsSubstring(why)));
    CHECK(same_bits(weights(other.network), before));
    CHECK(other.tuner.current().number == pending.number);
    CHECK(other.tuner.current().values == pending.values);
    CHECK(other.tuner.steps() == 40);
    other.steps(40);
  };
  resumable_run sgd(made_with<optim::SGD>(optim::SGDOptions(0.01)));
  refused(sgd, kept, "\"Adam\" where \"SGD\" belongs");
  resumable_run shorter(adam, 30);
  shorter.tuner.resume(kept);
  CHECK(shorter.tuner.steps() == 100);
  resumable_run fewer([](std::vector<at::Tensor> all) {
    all.pop_back();
    return std::make_unique<optim::Adam>(std::move(all), optim::AdamOptions(0.01));
  });
  refused(fewer, kept, "parameters in 1 groups");

  std::vector<checkpoint_part> parts(kept.parts().begin(), kept.parts().end());
  for (std::size_t part = 0; part < parts.size(); ++part) {
    INFO(parts[part].name);
    std::vector<checkpoint_part> cut = parts;
    cut[part].bytes.resize(cut[part].bytes.size() / 2);
    resumable_run other(adam);
    refused(other, checkpoint("cut", cut), "checkpoint cut: what was saved");
  }
  small_network network;
  auto const optimizer = adam(network.parameters());
  torch_tuner without_model = tune(*optimizer, chosen_with(600));
  CHECK_THROWS_MATCHES(without_model.resume(kept), checkpoint_error, MessageMatches(ContainsSubstring("with a model")));
}

TEST_CASE("a resume that is refused changes nothing, whether the objective is named or still open") {
  test::folder const place;
  checkpoint_store store(place / "run");
  auto const made = [](small_network& network, optim::Optimizer& optimizer, hook objective, double highest_rate) {
    settings chosen = chosen_with(600);
    chosen.parameters = search_space{real{"lr", 1e-5, highest_rate, scale::log}};
    chosen.tuning.objective = objective;
    return tune(optimizer, chosen, resumable_run::with_model(network, {}));
  };
  seed(5);
  small_network network;
  auto const optimizer = adam(network.parameters());
  torch_tuner tuner = made(network, *optimizer, hook::first, 1.0);
  for (int i = 0; i < 100; ++i) tuner.on_step_end(train_step(network, *optimizer));
  tuner.save(store);
  checkpoint const kept = *store.read();

  auto const refused = [&](hook objective, double highest_rate, std::string const& why) {
    small_network other;
    auto const beside = adam(other.parameters());
    torch_tuner here = made(other, *beside, objective, highest_rate);
    auto const step = [&] {
      double const loss = train_step(other, *beside);
      objective == hook::first ? here.on_step_end() : here.on_step_end(loss);
    };
    for (int i = 0; i < 7; ++i) step();
    std::vector<at::Tensor> const before = weights(other);
    std::size_t const states = beside->state().size();
    std::string const pipeline = pipeline_of(here, place / "before");
    double const rate = here.applied()[0];
    CHECK_THROWS_MATCHES(here.resume(kept), checkpoint_error, MessageMatches(ContainsSubstring(why)));
    CHECK(same_bits(weights(other), before));
    CHECK(beside->state().size() == states);
    CHECK(here.applied()[0] == rate);
    CHECK(here.steps() == 7);
    CHECK(here.objective() == objective);
    bool const same = pipeline_of(here, place / "after") == pipeline;
    CHECK(same);
    step();
    CHECK(here.steps() == 8);
  };
  refused(hook::first, 10.0, "the parameter \"lr\" as");
  refused(hook::step, 10.0, "the parameter \"lr\" as");
  refused(hook::epoch, 1.0, "another objective");
}

TEST_CASE("a setter that throws at a resume leaves the run as it was") {
  test::folder const place;
  checkpoint_store store(place / "run");
  bool throws = false;
  double dropout = 0.5;
  auto const make = [&](small_network& network, optim::Optimizer& optimizer) {
    settings chosen = chosen_with(600);
    chosen.parameters = search_space{real{"lr", 1e-5, 1.0, scale::log}, real{"dropout", 0.0, 0.9}};
    return tune(optimizer, chosen,
                resumable_run::with_model(network, {.setters = {{.name = "dropout", .set = [&](double to) {
                                                                   if (throws) throw std::runtime_error("no");
                                                                   dropout = to;
                                                                 }}}}));
  };
  small_network network;
  auto const optimizer = adam(network.parameters());
  torch_tuner tuner = make(network, *optimizer);
  double const first = tuner.applied()[1];
  for (int i = 0; i < 600 && (i < 200 || tuner.applied()[1] == first); ++i)
    tuner.on_step_end(train_step(network, *optimizer));
  REQUIRE(tuner.applied()[1] != first);  // else the setter would have nothing to do
  tuner.save(store);

  small_network other;
  auto const beside = adam(other.parameters());
  torch_tuner fresh = make(other, *beside);
  std::vector<at::Tensor> const before = weights(other);
  throws = true;
  CHECK_THROWS_AS(fresh.resume(*store.read()), std::runtime_error);
  CHECK(same_bits(weights(other), before));
  CHECK(fresh.steps() == 0);
  throws = false;
  fresh.resume(*store.read());
  CHECK(same_bits(weights(other), weights(network)));
  CHECK(dropout == tuner.applied()[1]);
}

TEST_CASE("a run that has ended is refused as a whole where it cannot be resumed, and the run here goes on") {
  test::folder const place;
  checkpoint_store store(place / "run");
  search_space const space{real{"lr", 1e-5, 1.0, scale::log}};
  struct counted {
    small_network network;
    optim::SGD sgd;
    torch_tuner tuner;
    counted(search_space const& space, int observations)
        : sgd(network.parameters(), optim::SGDOptions(0.1)),
          tuner(sgd, support::lasting(current_values(sgd, space), observations), {.model = &network}) {}
    void steps(int count) {
      for (int i = 0; i < count; ++i) tuner.on_step_end(train_step(network, sgd));
    }
  };
  counted over(space, 3);
  over.steps(2);
  CHECK_THROWS_AS(over.steps(1), tuning_finished);
  REQUIRE(over.tuner.finished());
  over.tuner.save(store);
  checkpoint const kept = *store.read();
  for (std::size_t part = 0; part < kept.parts().size(); ++part) {
    INFO(kept.parts()[part].name);
    std::vector<checkpoint_part> cut(kept.parts().begin(), kept.parts().end());
    cut[part].bytes.resize(cut[part].bytes.size() / 2);
    counted going(space, 20);
    going.steps(2);
    CHECK_THROWS_AS(going.tuner.resume(checkpoint("cut", cut)), checkpoint_error);
    CHECK_FALSE(going.tuner.finished());
    going.steps(2);
    CHECK(going.tuner.current().number == 5);
    going.tuner.resume(kept);
    CHECK(going.tuner.finished());
  }
}

TEST_CASE("a resume that finds no room for its snapshots is refused, and the run goes on") {
  test::folder const place;
  checkpoint_store store(place / "run");
  torch::nn::Linear model(200, 200);
  optim::SGD sgd(model->parameters(), optim::SGDOptions(0.01));
  torch_tuner tuner = tune(sgd, chosen_with(600), {.model = model.get(), .snapshot_folder = place.path()});
  auto const steps = [&](int count) {
    for (int i = 0; i < count; ++i) {
      sgd.zero_grad();
      at::Tensor const loss = model->forward(at::ones({4, 200})).square().mean();
      loss.backward();
      sgd.step();
      tuner.on_step_end(loss);
    }
  };
  steps(3);
  tuner.save(store);
  checkpoint const kept = *store.read();
  steps(3);
  at::Tensor const before = model->weight.detach().clone();
  {
    test::file_size_limit const none(1000);
    CHECK_THROWS_MATCHES(tuner.resume(kept), checkpoint_error, MessageMatches(ContainsSubstring("snapshot folder")));
  }
  CHECK(model->weight.detach().equal(before));
  CHECK(tuner.steps() == 6);
  tuner.resume(kept);
  CHECK(tuner.steps() == 3);
}

TEST_CASE("bytes of a checkpoint changed at random never crash a resume") {
  test::folder const place;
  checkpoint_store store(place / "run");
  resumable_run original(adam);
  original.steps(100);
  original.tuner.save(store);
  std::mt19937_64 random(3);
  checkpoint const kept = *store.read();
  for (int attempt = 0; attempt < 150; ++attempt) {
    std::vector<checkpoint_part> hostile(kept.parts().begin(), kept.parts().end());
    auto& bytes = hostile[random() % hostile.size()].bytes;
    for (int i = 0; i < 4; ++i) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    resumable_run other(adam);
    try {
      other.tuner.resume(checkpoint("hostile", hostile));
      other.steps(20);
    } catch (error const&) {
    }
  }
}
