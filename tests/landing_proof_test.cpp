#include <algorithm>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "support/landings.hpp"
#include "support/noise.hpp"
#include "support/noisy_quadratic.hpp"

import autotunenet;
import autotunenet.testing;
import support.trainee;

using namespace autotunenet;
using namespace support;

namespace {

/// A network that learns at once, and slowly forgets all of it again where a rate has been too high for too long.
struct forgets_slowly {
  double tolerated;
  double patience;  // training steps at rates too high that do no harm
  std::mt19937_64 engine{};
  std::normal_distribution<double> noise{0.0, 0.1};
  double strained = 0.0, learned = 0.0;

  double step(double rate) {
    double const loss = rate > 10.0 ? 50.0 : 2.0 - learned + noise(engine);
    if (rate > tolerated) strained += 1.0;
    learned += 10.0 * std::min(rate, 0.01) * (1.0 - learned);
    if (strained > patience) learned *= 0.85;
    return loss;
  }
  bool unharmed() const { return strained <= patience; }
};

/// A network that learns too slowly for a sweep to show it, and that rates above those tolerated harm, but not at once.
struct slow_to_learn {
  double tolerated;
  double patience = 20.0;
  std::mt19937_64 engine{};
  std::normal_distribution<double> noise{0.0, 0.02};
  double strained = 0.0, learned = 0.0;

  double step(double rate) {
    double const harm = std::max(strained - patience, 0.0);
    if (rate > tolerated) strained += 1.0;
    learned += 1e-3 * std::min(rate, 1.0);
    return 2.0 - learned + 0.1 * harm + noise(engine);
  }
  bool unharmed() const { return strained <= patience; }
};

/// A network of which a sweep shows nothing, for noise; rates above 1 harm it.
struct hidden_by_noise {
  support::noise noise;
  double level = 3.0;

  double step(double rate) {
    level = rate > 1.0 ? level + 0.1 : level * std::exp(-0.3 * rate);
    return level + 3.0 * noise.normal();
  }
  bool unharmed() const { return level == 3.0; }
};

/// Suggests what ran last, and goes back to its best validation once.
suggestions going_back(configuration start, std::uint64_t when) {
  suggestion next{.values = std::move(start)};
  for (;;) {
    next.state = ++next.number == when     ? training_state::return_to_best
                 : next.number == when - 1 ? training_state::mark_best
                                           : training_state::keep;
    observation const& seen = co_yield next;
    if (!seen.applied.empty()) next.values.assign(seen.applied);
  }
}

/// Where a network that nothing harms lands, each time, if its observations come by way of `told(seen, step,
/// landings)`.
template <class Told>
std::vector<double> landings_if(Told told) {
  trainee<forgets_slowly> training{{.tolerated = 100.0, .patience = 1e9}};
  auto tuner = following(rate_space().at({{"lr", 1e-4}})) | range_test({.horizon = 1000, .pilot = 0.0});
  std::vector<double> landed;
  for (int step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    training.carry_out(s.state);
    if (has(s.events, event::range_test_ended | event::backed_off)) landed.push_back(s.values["lr"]);
    observation seen{.metric = training.now.step(s.values["lr"]), .restorable = true};
    told(seen, step, landed.size());
    tuner.tell(seen);
  }
  CHECK_FALSE(training.origin);
  return landed;
}

/// Where training begins, and begins again, if it stays where it was after each landing.
struct landings {
  std::vector<double> values;
  bool dropped = false;
};
landings of_dead_training(range_test_options options) {
  trainee<noisy_quadratic> training{noisy_quadratic(7)};
  double const level = training.now.loss();
  auto tuner = following(rate_space().center()) | range_test(std::move(options));
  noisy_quadratic::weights const before = training.now.state();
  landings found;
  for (int step = 0; step < 2000; ++step) {
    suggestion const& s = tuner.ask();
    training.carry_out(s.state);
    if (has(s.events, event::range_test_ended | event::backed_off)) {
      CHECK(training.now.state() == before);
      found.values.push_back(s.values["lr"]);
    }
    found.dropped = found.dropped || has(s.state, training_state::drop_origin);
    double const loss = training.now.step(s.values["lr"]);
    bool const dead = !found.values.empty() && found.values.size() < 3;
    tuner.tell({.metric = dead ? level : loss, .restorable = true});
  }
  return found;
}

}  // namespace

TEST_CASE("what was found has to prove itself, else training begins again with a quarter of it") {
  landings const found = of_dead_training({.horizon = 4000, .proof = 0.05, .restarts = 2});
  REQUIRE(found.values.size() == 3);
  CHECK(found.values[1] == found.values[0] / 4.0);
  CHECK(found.values[2] == found.values[1] / 4.0);
  CHECK(found.dropped);
}

TEST_CASE("a short run begins higher than a long one, and first goes back to what a long one would begin with") {
  landings const brief = of_dead_training({.horizon = 700});
  landings const as_long = of_dead_training({.horizon = 700, .long_run = 0});
  REQUIRE(brief.values.size() == 3);
  REQUIRE(as_long.values.size() == 3);
  CHECK(brief.values[0] > 1.5 * as_long.values[0]);
  CHECK(brief.values[0] <= std::sqrt(2500.0 / 700.0) * as_long.values[0]);
  CHECK(brief.values[1] == as_long.values[0]);
  CHECK(brief.values[2] == as_long.values[1]);
}

TEST_CASE("what proves itself is left alone, and its saved state is dropped") {
  noisy_quadratic training(8);
  auto tuner = following(rate_space().center()) | range_test({.horizon = 4000});
  trained const result = run(tuner, training, 1300);
  bool dropped = false;
  for (suggestion const& s : result.all) {
    CHECK_FALSE(has(s.events, event::backed_off));
    dropped = dropped || has(s.state, training_state::drop_origin);
  }
  CHECK(dropped);
}

TEST_CASE("waves after a landing are no harm") {
  for (std::size_t const horizon : {1000U, 4000U}) {
    auto tuner = following(rate_space().at({{"lr", 1e-5}})) | range_test({.horizon = horizon});
    noisy_quadratic training(1);
    trainee<noisy_quadratic> trained_one{training};
    int since = -1;
    for (int step = 0; step < 400; ++step) {
      suggestion const& s = tuner.ask();
      trained_one.carry_out(s.state);
      CHECK_FALSE(has(s.events, event::backed_off));
      if (has(s.events, event::range_test_ended) && since < 0) since = 0;
      double const loss = trained_one.now.step(s.values[0]);
      double const wave = since >= 0 && since < 10 ? 2.0 * noisy_quadratic(1).loss() : 0.0;
      if (since >= 0) ++since;
      tuner.tell({.metric = loss + wave, .restorable = true});
    }
  }
}

TEST_CASE("rare metrics that are far out after a landing are no harm") {
  for (std::size_t const horizon : {1000U, 4000U}) {
    auto tuner = following(rate_space().at({{"lr", 1e-5}})) | range_test({.horizon = horizon, .pilot = 0.0});
    trainee<noisy_quadratic> training{noisy_quadratic(1)};
    int since = -1;
    bool backed_off = false;
    for (int step = 0; step < 200; ++step) {
      suggestion const& s = tuner.ask();
      training.carry_out(s.state);
      backed_off = backed_off || has(s.events, event::backed_off);
      if (has(s.events, event::range_test_ended)) since = 0;
      double const loss = training.now.step(s.values[0]);
      tuner.tell({.metric = since >= 0 && since++ % 12 == 3 ? 100.0 * loss : loss, .restorable = true});
    }
    INFO("horizon " << horizon);
    CHECK(since > 20);
    CHECK_FALSE(backed_off);
  }
}

TEST_CASE("what does harm at once is undone, and training goes on far lower") {
  for (std::size_t const horizon : {0U, 1000U, 4000U}) {
    std::vector<double> const found = landings_of(trained_before{.tolerated = 4e-3}, 1e-6, horizon);
    INFO("horizon " << horizon);
    REQUIRE(found.size() == 2);
    CHECK(found[0] > 4e-3);
    CHECK(found[1] == found[0] / 10.0);
  }
}

TEST_CASE("training that has proven itself and slowly comes undone begins again with a quarter") {
  // A short run begins higher.
  for (auto const& [horizon, tolerated] : {std::pair{0U, 0.03}, std::pair{1000U, 0.07}, std::pair{4000U, 0.03}}) {
    double const run = horizon > 0 ? static_cast<double>(horizon) : 2500.0;
    trainee<forgets_slowly> training{{.tolerated = tolerated, .patience = 0.1 * run}};
    std::vector<double> const found = landings_of(training, 1e-4, horizon, static_cast<std::size_t>(run));
    INFO("horizon " << horizon << " landed " << found.front() << " then " << found.back() << " of " << found.size());
    REQUIRE(found.size() >= 2);
    CHECK(found[found.size() - 2] > tolerated);
    CHECK(found.back() == found[found.size() - 2] / 4.0);
    CHECK(training.now.learned > 0.9);
  }
}

TEST_CASE("data that grow harder again and again cost a run one new beginning") {
  auto const landed = landings_if(
      [](observation& seen, int step, std::size_t) { seen.metric += 0.25 * ((step > 200) + (step > 420)); });
  REQUIRE(landed.size() == 2);
  CHECK(landed[1] == landed[0] / 4.0);
}

TEST_CASE("trouble that a guard takes back does not make a run begin again") {
  for (bool const taken_back : {true, false}) {
    auto const landed = landings_if([&](observation& seen, int step, std::size_t) {
      if (step >= 200 && step < 210) seen.metric += 3.0;
      if (taken_back && step == 209) seen.result = outcome::failed;
    });
    CHECK(landed.size() == (taken_back ? 1 : 2));
  }
}

TEST_CASE("a run that began again since its training came undone may then be slower than the sweep was") {
  auto const landed = landings_if([](observation& seen, int step, std::size_t landings) {
    bool const again = landings >= 2;
    if (again)
      seen.metric += 0.5;  // a smaller fall than the sweep's
    else if (step > 200)
      seen.metric += 0.3;
  });
  CHECK(landed.size() == 2);
}

TEST_CASE("training that goes back to its best validation while it is watched has not come undone") {
  trainee<forgets_slowly> training{{.tolerated = 100.0, .patience = 1e9}};
  auto tuner = going_back(rate_space().at({{"lr", 1e-4}}), 150) | range_test({.horizon = 1000, .pilot = 0.0});
  int landed = 0;
  bool went_back = false;
  for (int step = 0; step < 1000; ++step) {
    suggestion const& s = tuner.ask();
    if (has(s.state, training_state::return_to_best)) {
      CHECK(training.origin);
      went_back = true;
    }
    training.carry_out(s.state);
    landed += has(s.events, event::range_test_ended | event::backed_off) ? 1 : 0;
    tuner.tell({.metric = training.now.step(s.values["lr"]) + (went_back ? 0.25 : 0.0), .restorable = true});
  }
  CHECK(went_back);
  CHECK(landed == 1);
  CHECK_FALSE(training.origin);
}

TEST_CASE("where noise hides what a sweep does, a guess that does harm is followed by a lower one, not by the start") {
  int trained = 0, harmed = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    trainee<hidden_by_noise> training{{.noise = support::noise(seed)}};
    std::vector<double> const landed = landings_of(training, 1e-3, 4000, 1500);
    INFO("seed " << seed << " landed " << landed.front() << " then " << landed.back());
    if (landed.front() < 2.0) continue;
    ++harmed;
    trained += training.now.level < 0.1 ? 1 : 0;
  }
  CHECK(harmed >= 5);
  CHECK(trained + 2 >= harmed);
}

TEST_CASE("where a sweep shows nothing, and what is tried does harm twice, the run goes on at its start") {
  std::vector<double> const landed = landings_of(slow_to_learn{.tolerated = 0.01, .patience = 60.0}, 1e-3, 4000);
  REQUIRE(landed.size() == 3);
  CHECK(landed[0] > 1.0);
  CHECK(landed[1] < 0.2);
  CHECK(landed[2] == 1e-3);
}

TEST_CASE("where a sweep shows nothing a high value is tried, and gone on with if the metric falls at all") {
  for (std::size_t const horizon : {0U, 700U, 4000U}) {
    INFO("horizon " << horizon);
    std::vector<double> const learns = landings_of(slow_to_learn{.tolerated = 1e3}, 1e-3, horizon);
    CHECK(learns.front() > 1.0);
    CHECK(std::ranges::min(learns) > 1.0);
    std::vector<double> const harmed = landings_of(slow_to_learn{.tolerated = 20.0}, 1e-3, horizon);
    CHECK(harmed.front() > 1.0);
    CHECK(harmed.back() < 0.2);
    std::vector<double> const high_already = landings_of(slow_to_learn{.tolerated = 1e3}, 99.0, horizon);
    CHECK(high_already == std::vector{99.0});
  }
}
