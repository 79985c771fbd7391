#include <ATen/core/grad_mode.h>
#include <ATen/ops/randint.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
namespace optim = torch::optim;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

enum class place { nowhere, weights, gradients, loss, metric };

/// A regression on fixed data, into one step of which NaN may be put.
struct task {
  small_network network;
  at::Tensor inputs = at::randn({64, 4});
  at::Tensor targets = inputs.sum(1, true);

  double step(optim::Optimizer& optimizer, place poisoned = place::nowhere) {
    optimizer.zero_grad();
    at::Tensor loss = at::mse_loss(network.forward(inputs), targets);
    if (poisoned == place::loss) loss = loss * not_a_number;
    loss.backward();
    at::NoGradGuard const quiet;
    if (poisoned == place::gradients) fill([](at::Tensor const& p) { return p.mutable_grad(); });
    optimizer.step();
    if (poisoned == place::weights) fill([](at::Tensor const& p) { return p; });
    return poisoned == place::nowhere ? loss.item<double>() : not_a_number;
  }
  bool finite() const {
    for (at::Tensor const& t : weights(network)) {
      if (!std::isfinite(t.sum().item<double>())) return false;
    }
    return true;
  }

 private:
  void fill(std::function<at::Tensor(at::Tensor const&)> const& part) {
    for (at::Tensor const& p : network.parameters()) part(p).fill_(not_a_number);
  }
};

settings chosen_for(std::size_t horizon, bool range_test = true) {
  return {.parameters = search_space{real{"lr", 1e-6, 100.0, scale::log}},
          .tuning = {.objective = hook::step, .seed = 5, .horizon = horizon, .range_test = range_test}};
}

}  // namespace

TEST_CASE("a run recovers from a start that is far too high, without the range test only SGD, and mostly") {
  int recovered_without = 0;
  for (double const start : {1e-1, 1.0, 10.0, 100.0}) {
    for (bool const range_test : {true, false}) {
      for (bool const adam : {true, false}) {
        seed(3);
        task job;
        job.network.eval();  // no dropout, so that losses can be compared
        std::unique_ptr<optim::Optimizer> optimizer;
        if (adam)
          optimizer = std::make_unique<optim::Adam>(job.network.parameters(), optim::AdamOptions(start));
        else
          optimizer = std::make_unique<optim::SGD>(job.network.parameters(), optim::SGDOptions(start).momentum(0.9));
        torch_tuner tuner =
            tune(*optimizer, chosen_for(800, range_test), {.model = &job.network, .snapshot_budget = 1.0});
        double first = 0.0, last = 0.0;
        for (int step = 0; step < 800; ++step) {
          last = job.step(*optimizer);
          tuner.on_step_end(last);
          if (step == 0) first = last;
        }
        INFO((adam ? "Adam" : "SGD") << " from " << start << (range_test ? " with" : " without")
                                     << " a range test: " << first << " to " << last);
        bool const recovered = last < 0.3 * first;
        if (range_test)
          CHECK(recovered);
        else if (!adam && recovered)
          ++recovered_without;
        CHECK(job.finite());
      }
    }
  }
  // What a rollback finds depends on the last bit of the losses before.
  CHECK(recovered_without >= 3);
}

TEST_CASE("a row of NaN in the data costs the steps that meet it, however the loop and its hooks treat them") {
  enum class loop { plain, skips_the_step, throws };
  auto const last_of = [](bool poisoned, loop how) {
    seed(3);
    task job;
    job.network.eval();
    at::Tensor const rows = at::randn({1024, 4}), sums = rows.sum(1, true);
    at::Tensor const inputs = rows.clone();
    optim::Adam adam(job.network.parameters(), optim::AdamOptions(1e-5));
    torch_tuner tuner = tune(adam, chosen_for(1500), {.model = &job.network, .snapshot_budget = 1.0});
    for (int step = 0; step < 1500; ++step) {
      if (poisoned && step == 300) inputs[17][3] = not_a_number;  // a trial may end differently for it
      at::Tensor const batch = at::randint(1024, {32}, at::kLong);
      adam.zero_grad();
      at::Tensor const loss =
          at::mse_loss(job.network.forward(inputs.index_select(0, batch)), sums.index_select(0, batch));
      bool const bad = !std::isfinite(loss.item<double>());
      if (!bad || how == loop::plain) {
        loss.backward();
        adam.step();
      }
      if (bad && how == loop::throws)
        tuner.on_failure();
      else
        tuner.on_step_end(loss);
    }
    return at::mse_loss(job.network.forward(rows), sums).item<double>();
  };
  double const untrained = 4.0;  // the variance of what is learned
  CHECK(last_of(false, loop::plain) < 0.01 * untrained);
  for (loop const how : {loop::plain, loop::skips_the_step, loop::throws}) {
    double const last = last_of(true, how);
    INFO("loop " << static_cast<int>(how) << " ends at " << last);
    CHECK(last < 0.1 * untrained);
  }
}

TEST_CASE("NaN in weights, gradients, loss or metric is survived in every phase of a run") {
  struct phase {
    char const* name;
    int horizon;
    std::function<bool(int step, suggestion const& in_force)> when;
    bool trouble_before = false;
  };
  std::vector<phase> const phases{
      {"the first step", 400, [](int step, suggestion const&) { return step == 0; }},
      {"the range test", 400, [](int, suggestion const& s) { return s.why == reason::range_test && s.number > 10; }},
      {"the middle", 400, [](int step, suggestion const&) { return step == 200; }},
      {"a branch", 2600, [](int step, suggestion const& s) { return step > 150 && s.why == reason::range_test; }},
      {"the cooldown", 400, [](int, suggestion const& s) { return s.why == reason::cooldown; }, true},
      {"the last step", 400, [](int step, suggestion const&) { return step == 399; }},
  };
  std::vector<std::pair<place, double>> cases;
  for (place const where : {place::weights, place::gradients, place::loss, place::metric})
    for (double const budget : {0.0, 0.01, std::numeric_limits<double>::infinity()}) cases.emplace_back(where, budget);
  for (phase const& during : phases) {
    for (auto const& [where, budget] : cases) {
      seed(3);
      task job;
      optim::Adam adam(job.network.parameters(), optim::AdamOptions(1e-3));
      torch_tuner tuner = tune(adam, chosen_for(during.horizon), {.model = &job.network, .snapshot_budget = budget});
      std::optional<int> poisoned;
      for (int step = 0; step < during.horizon; ++step) {
        bool const trouble = during.trouble_before && step == 250;
        bool const now = !poisoned && !trouble && during.when(step, tuner.current());
        if (now) poisoned = step;
        tuner.on_step_end(job.step(adam, now ? where : trouble ? place::loss : place::nowhere));
      }
      INFO("NaN in " << static_cast<int>(where) << " during " << during.name << ", step " << poisoned.value_or(-1)
                     << ", budget " << budget);
      CHECK(poisoned);
      CHECK(job.finite());
      CHECK(std::isfinite(job.step(adam)));
    }
  }
}

TEST_CASE("after a rollback a loader can rewind to where the state was saved, or go on past what spoiled it") {
  for (bool const rewinds : {true, false}) {
    seed(3);
    task job;
    optim::Adam adam(job.network.parameters(), optim::AdamOptions(1e-3));
    std::uint64_t position = 0, undone = 0, marked_at = 0;
    int spoiled = 0, served = 0;
    torch_tuner tuner = tune(adam, chosen_for(300, false),
                             {.model = &job.network,
                              .on_restore =
                                  [&](restoration const& back) {
                                    if (rewinds) position -= back.steps_undone;
                                    marked_at = back.marked_at;
                                    undone += back.steps_undone;
                                  },
                              .snapshot_budget = 1.0});
    for (int step = 0; step < 300; ++step) {
      bool const batch_150 = position++ == 150;
      served += batch_150 ? 1 : 0;
      bool const bad = batch_150 && spoiled++ == 0;
      std::uint64_t const before = undone;
      tuner.on_step_end(job.step(adam, bad ? place::weights : place::nowhere));
      if (!bad) continue;
      CHECK(undone > before);
      CHECK(marked_at + (undone - before) == tuner.steps());
      if (rewinds) CHECK(position + undone == tuner.steps());
    }
    INFO((rewinds ? "rewinding" : "going on"));
    if (rewinds)
      CHECK(served > 1);
    else
      CHECK(served == 1);
    CHECK(job.finite());
  }
}
