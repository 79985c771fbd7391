#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/zeros.h>
#include <malloc.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
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
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <format>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/file_size_limit.hpp"
#include "support/folder.hpp"
#include "support/sanitized.hpp"
#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
namespace optim = torch::optim;

namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

using maker = std::function<std::unique_ptr<optim::Optimizer>(std::vector<at::Tensor>)>;

template <class Optimizer, class Options>
maker made_with(Options options) {
  return [options](std::vector<at::Tensor> parameters) {
    return std::make_unique<Optimizer>(std::move(parameters), options);
  };
}

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

settings chosen_with(std::size_t horizon) {
  return {.parameters = search_space{real{"lr", 1e-5, 1.0, scale::log}},
          .tuning = {.objective = hook::step, .seed = 4, .tune_n_steps = 3, .horizon = horizon},
          .stability = {.max_regression = 0.05, .patience = 2, .cooldown = 4}};
}

/// A run, as a process would make it anew: network, optimizer, tuner. Snapshots do not depend on the clock.
struct run {
  small_network network;
  std::unique_ptr<optim::Optimizer> optimizer;
  torch_tuner tuner;

  explicit run(maker const& make, std::size_t horizon = 600, torch_options options = {})
      : optimizer(make(network.parameters())),
        tuner(tune(*optimizer, chosen_with(horizon), with_model(network, std::move(options)))) {}

  static torch_options with_model(small_network& network, torch_options options) {
    options.model = &network;
    options.snapshot_budget = unlimited;
    return options;
  }
  void steps(int count) {
    for (int i = 0; i < count; ++i) {
      double loss = train_step(network, *optimizer);
      if (tuner.steps() % 97 == 96) {
        tuner.on_failure();
        loss = std::numeric_limits<double>::quiet_NaN();
      }
      tuner.on_step_end(loss);
      if (tuner.steps() % 30 == 0) tuner.on_validation_end(loss);
    }
  }
};

std::string pipeline_of(torch_tuner& tuner, std::filesystem::path const& file) {
  checkpoint_store store(file);
  tuner.save(store);
  std::optional<checkpoint> const kept = store.read();
  std::span<std::byte const> const bytes = (*kept)["autotunenet pipeline"];
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

maker const adam = made_with<optim::Adam>(optim::AdamOptions(0.01));

}  // namespace

TEST_CASE("a resumed run goes on to the bit, whatever the optimizer and whenever it was saved") {
  test::folder const place;
  for (auto const& [name, make] : optimizers()) {
    for (int const at : {0, 1, 30, 61, 130, 200}) {
      INFO(name << ", saved after " << at << " steps");
      checkpoint_store store(place / "run");
      seed(5);
      run original(make);
      original.steps(at);
      original.tuner.save(store);
      original.steps(120);
      std::vector<at::Tensor> const expected = weights(original.network);

      seed(99);
      run resumed(make);
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
  run plain(adam);
  plain.steps(150);
  seed(5);
  run saved(adam);
  for (int i = 0; i < 15; ++i) {
    saved.steps(10);
    saved.tuner.save(store);
  }
  CHECK(same_bits(weights(saved.network), weights(plain.network)));
}

TEST_CASE("the loop's own parts come with a checkpoint") {
  test::folder const place;
  checkpoint_store store(place / "run");
  run one(adam);
  std::vector<checkpoint_part> own{{"loader", {std::byte{7}, std::byte{9}}}};
  one.tuner.save(store, own);
  auto const kept = store.read();
  CHECK((*kept)["loader"][1] == std::byte{9});
  own[0].name = "autotunenet pipeline";
  CHECK_THROWS_MATCHES(one.tuner.save(store, own), invalid_option, MessageMatches(ContainsSubstring("are taken")));
}

TEST_CASE("a checkpoint of another model or optimizer is refused, and nothing has changed; another horizon is not") {
  test::folder const place;
  checkpoint_store store(place / "run");
  seed(5);
  run original(adam);
  original.steps(100);
  original.tuner.save(store);
  checkpoint const kept = *store.read();
  auto const refused = [&](run& other, checkpoint const& from, std::string const& why) {
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
  run sgd(made_with<optim::SGD>(optim::SGDOptions(0.01)));
  refused(sgd, kept, "\"Adam\" where \"SGD\" belongs");
  run shorter(adam, 30);
  shorter.tuner.resume(kept);
  CHECK(shorter.tuner.steps() == 100);
  run fewer([](std::vector<at::Tensor> all) {
    all.pop_back();
    return std::make_unique<optim::Adam>(std::move(all), optim::AdamOptions(0.01));
  });
  refused(fewer, kept, "parameters in 1 groups");

  std::vector<checkpoint_part> parts(kept.parts().begin(), kept.parts().end());
  for (std::size_t part = 0; part < parts.size(); ++part) {
    INFO(parts[part].name);
    std::vector<checkpoint_part> cut = parts;
    cut[part].bytes.resize(cut[part].bytes.size() / 2);
    run other(adam);
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
    return tune(optimizer, chosen, run::with_model(network, {}));
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
  torch_tuner tuner = tune(adam, chosen_with(600), run::with_model(network, {}));

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
  struct banked : run {
    at::Tensor bank = network.register_buffer("bank", at::zeros({1, 4}));
    banked() : run(adam) {}
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

TEST_CASE("a setter that throws at a resume leaves the run as it was") {
  test::folder const place;
  checkpoint_store store(place / "run");
  bool throws = false;
  double dropout = 0.5;
  auto const make = [&](small_network& network, optim::Optimizer& optimizer) {
    settings chosen = chosen_with(600);
    chosen.parameters = search_space{real{"lr", 1e-5, 1.0, scale::log}, real{"dropout", 0.0, 0.9}};
    return tune(optimizer, chosen, run::with_model(network, {.setters = {{.name = "dropout", .set = [&](double to) {
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

namespace {

/// Ends after so many observations.
suggestions lasting(configuration start, int observations) {
  struct counter {
    suggestion next;
    int left;
    suggestion const& ask() {
      ++next.number;
      return next;
    }
    void tell(observation const&) {
      if (--left == 0) throw tuning_finished("enough");
    }
    void fields(archive& a) {
      a.section("counter");
      a(next)(left);
    }
  };
  return drive(counter{.next = {.values = std::move(start)}, .left = observations});
}

}  // namespace

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
          tuner(sgd, lasting(current_values(sgd, space), observations), {.model = &network}) {}
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

#ifndef AUTOTUNENET_SANITIZED

namespace {

/// A line of /proc/self/status that counts kB.
double megabytes(std::string const& what) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word != what + ":") continue;
    double kilobytes = 0.0;
    status >> kilobytes;
    return kilobytes / 1024.0;
  }
  return 0.0;
}

/// The most memory that a call takes on top of what is in use.
double most_taken_by(std::function<void()> const& call) {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << 5;  // the peak begins anew
  double const before = megabytes("VmRSS");
  call();
  return megabytes("VmHWM") - before;
}

}  // namespace

TEST_CASE("how much memory a checkpoint takes: its size to write, twice that to read, two models more to resume") {
  mallopt(M_MMAP_THRESHOLD, 1 << 20);  // what is freed is gone at once
  test::folder const place;
  checkpoint_store store(place / "run");
  torch::nn::Sequential model;
  for (int i = 0; i < 8; ++i) model->push_back(torch::nn::Linear(torch::nn::LinearOptions(1024, 1024).bias(false)));
  constexpr double model_size = 8 * 4.0, little = 0.3;  // MB; models
  optim::SGD sgd(model->parameters(), optim::SGDOptions(0.01));
  auto const made = [&] { return tune(sgd, chosen_with(600), {.model = model.get(), .snapshot_budget = unlimited}); };
  torch_tuner tuner = made();
  double loss = 1.0;
  auto const size = [&] {
    return static_cast<double>(std::filesystem::file_size(place / "run")) / 1048576 / model_size;
  };
  for (int i = 0; i < 200; ++i) tuner.on_step_end(loss *= 0.99);
  double const save = most_taken_by([&] { tuner.save(store); }) / model_size;
  torch_tuner other = made();
  std::optional<checkpoint> kept;
  double const read = most_taken_by([&] { kept = store.read(); }) / model_size;
  double const resume = most_taken_by([&] { other.resume(*kept); }) / model_size;
  INFO(std::format("a file of {:.1f} models takes {:.1f} to save, {:.1f} to read, and {:.1f} more to resume", size(),
                   save, read, resume));
  CHECK(size() > 2.9);
  CHECK(save < size() + little);
  CHECK(read < 2.0 * size() + little);
  CHECK(resume < 2.0 + (size() - 1.0) + little);
}

#endif

TEST_CASE("bytes of a checkpoint changed at random never crash a resume") {
  test::folder const place;
  checkpoint_store store(place / "run");
  run original(adam);
  original.steps(100);
  original.tuner.save(store);
  std::mt19937_64 random(3);
  checkpoint const kept = *store.read();
  for (int attempt = 0; attempt < 150; ++attempt) {
    std::vector<checkpoint_part> hostile(kept.parts().begin(), kept.parts().end());
    auto& bytes = hostile[random() % hostile.size()].bytes;
    for (int i = 0; i < 4; ++i) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    run other(adam);
    try {
      other.tuner.resume(checkpoint("hostile", hostile));
      other.steps(20);
    } catch (error const&) {
    }
  }
}
