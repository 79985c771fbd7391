#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/random_stream.hpp"

import autotunenet;
import support.guard_referee;

using namespace autotunenet;
using support::random_metrics;
using support::random_stream;
using support::referee;

namespace {

constexpr std::uint64_t runs = 10'000;
constexpr std::size_t steps = 120;

settings random_settings(random_stream& random) {
  std::vector<parameter> parameters{real{"lr", 1e-6, random.between(1e-3, 1e2), scale::log}};
  if (random.chance(0.5)) parameters.push_back(real{"momentum", 0.0, 0.99});
  if (random.chance(0.3)) parameters.push_back(integer{"batch", 8, 256});
  if (random.chance(0.3)) parameters.push_back(categorical{"schedule", {"a", "b", 3.0}});
  settings chosen{.parameters = search_space(std::move(parameters))};
  chosen.tuning.tuner = static_cast<tuner_kind>(random.below(3));
  chosen.tuning.direction = random.chance(0.5) ? goal::minimize : goal::maximize;
  chosen.tuning.objective = random.chance(0.7) ? hook::step : hook::epoch;
  chosen.tuning.seed = random.below(1000);
  chosen.tuning.horizon = random.chance(0.7) ? 60 + random.below(3000) : 0;
  if (random.chance(0.7)) chosen.tuning.tune_n_steps = 1 + random.below(8);
  chosen.tuning.max_delta = random.between(0.05, 1.5);
  chosen.metrics.smoothing_window = 1 + random.below(6);
  chosen.metrics.smoothing = random.chance(0.5) ? averaging::window : averaging::exponential;
  chosen.stability.patience = 1 + random.below(4);
  chosen.stability.cooldown = random.below(10);
  chosen.stability.rollback = random.chance(0.8) ? rollback_scope::full : rollback_scope::hyperparameters;
  return chosen;
}

/// A user's callback that throws now and then.
struct quarrelsome final : observer {
  random_stream random;
  double often;
  explicit quarrelsome(std::uint64_t seed, double how_often) : random(seed), often(how_often) {}
  void suggested(suggestion const&) override { perhaps(); }
  void observed(suggestion const&, observation const&) override { perhaps(); }
  void perhaps() {
    if (random.chance(often)) throw std::runtime_error("the user's own error");
  }
};

struct tally {
  std::size_t rollbacks = 0, late = 0, thrown = 0, trials = 0, returns = 0;
};

/// A run in which everything goes wrong; what is wrong with the guard's promises, or nothing.
std::string storm(std::uint64_t seed, tally& seen_all) {
  random_stream random(seed);
  random_metrics metrics(seed + runs), validations(seed + 2 * runs);
  settings const chosen = random_settings(random);
  quarrelsome user(~seed, random.chance(0.1) ? 0.01 : 0.0);
  suggestions tuner = make_pipeline(chosen) | watch(user);
  referee judge(*chosen.parameters, guard_from(chosen));
  bool const restorable = random.chance(0.6);
  try {
    for (std::size_t step = 0; step < steps; ++step) {
      suggestion const& next = tuner.ask();
      judge.suggested(next);
      seen_all.rollbacks += next.why == reason::rollback ? 1 : 0;
      seen_all.trials += next.why == reason::range_test ? 1 : 0;
      seen_all.returns += has(next.state, training_state::return_to_best) ? 1 : 0;
      std::vector<double> const ran(next.values.values().begin(), next.values.values().end());
      observation seen{.metric = metrics.next(), .restorable = restorable};
      if (random.chance(0.05)) seen.result = outcome::skipped;
      if (random.chance(0.02)) seen.result = outcome::failed;  // the training loop threw
      if (random.chance(0.05)) seen.noise = random.uniform();
      if (random.chance(0.1)) seen.validation = validations.next();
      if (random.chance(0.05) && next.number > 1) {
        observation late = seen;
        late.number = next.number - 1;
        ++seen_all.late;
        try {
          tuner.tell(late);
          return "an observation that came too late was taken";
        } catch (protocol_error const&) {
        }
        if (!std::ranges::equal(tuner.ask().values.values(), ran)) return "a late observation changed the suggestion";
      }
      judge.observed(ran, seen);
      tuner.tell(seen);
      if (!judge.problem.empty()) return judge.problem;
    }
  } catch (std::runtime_error const& thrown) {
    if (std::string(thrown.what()) != "the user's own error") return thrown.what();
    ++seen_all.thrown;
    if (!tuner.finished() || tuner.poll() != nullptr) return "a tuner that a user's exception passed through goes on";
  }
  return judge.problem;
}

}  // namespace

TEST_CASE("in a storm of faults the default pipeline keeps every promise of the guard") {
  tally all;
  for (std::uint64_t seed = 0; seed < runs; ++seed) {
    std::string const problem = storm(seed, all);
    INFO("seed " << seed << ": " << problem);
    REQUIRE(problem.empty());
  }
  CHECK(all.rollbacks > runs / 10);
  CHECK(all.late > runs);
  CHECK(all.thrown > runs / 50);
  CHECK(all.trials > runs);
  CHECK(all.returns > runs / 500);
}
