#include <algorithm>
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/allocations.hpp"
#include "support/noise.hpp"

import autotunenet;

using namespace autotunenet;

namespace {

constexpr double nan_metric = std::numeric_limits<double>::quiet_NaN();

search_space mixed_space() {
  return {real{"lr", 1e-5, 1.0, scale::log}, integer{"layers", 1, 8},
          categorical{"activation", {"relu", "tanh", "gelu"}}};
}

double mixed_loss(configuration const& at) {
  search_space const& space = at.space();
  return std::pow(space.to_unit(0, at[0]) - 0.7, 2) + 0.02 * std::abs(at[1] - 6.0) +
         (at.chosen("activation") == category{"tanh"} ? 0.0 : 0.2);
}

template <class Loss>
double best_of(suggestions tuner, int steps, Loss loss) {
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < steps; ++i) {
    double const metric = loss(tuner.ask().values);
    if (metric < best) best = metric;
    tuner.tell(metric);
  }
  return best;
}

template <class Loss>
std::vector<double> trace(suggestions tuner, int steps, Loss loss) {
  std::vector<double> all;
  for (int i = 0; i < steps; ++i) {
    suggestion const& asked = tuner.ask();
    all.insert(all.end(), asked.values.values().begin(), asked.values.values().end());
    tuner.tell(loss(i, asked.values));
  }
  return all;
}

}  // namespace

TEST_CASE("the Parzen estimator finds more than covering the space does") {
  auto const loss = [](configuration const& at) {
    double sum = 0.0;
    for (std::size_t i = 0; i < at.size(); ++i) sum += std::pow(at[i] - 0.3 - 0.1 * static_cast<double>(i), 2);
    return sum;
  };
  search_space const space{real{"a"}, real{"b"}, real{"c"}, real{"d"}};
  std::vector<double> estimated, covered;
  for (std::uint64_t seed = 0; seed < 9; ++seed) {
    estimated.push_back(best_of(tpe(space, {.seed = seed}), 150, loss));
    covered.push_back(best_of(quasi_random(space, {.seed = seed}), 150, loss));
  }
  std::ranges::sort(estimated);
  std::ranges::sort(covered);
  CHECK(estimated[4] < 0.35 * covered[4]);
}

TEST_CASE("reals, whole numbers and words are searched together") {
  for (std::uint64_t seed = 0; seed < 5; ++seed)
    CHECK(best_of(tpe(mixed_space(), {.seed = seed}), 120, mixed_loss) < 0.01);
}

TEST_CASE("late suggestions are mostly good ones") {
  suggestions tuner = tpe(mixed_space(), {.seed = 2});
  int right = 0;
  for (int i = 0; i < 200; ++i) {
    configuration const& at = tuner.ask().values;
    if (i >= 100) right += at.chosen("activation") == category{"tanh"};
    tuner.tell(mixed_loss(at));
  }
  CHECK(right > 60);
}

TEST_CASE("the first suggestions are the start and then the quasi-random ones") {
  search_space const space = mixed_space();
  suggestions tuner = tpe(space, {.seed = 6, .start_up = 4});
  CHECK(tuner.ask().values == space.center());
  CHECK(tuner.ask().why == reason::start);
  for (int i = 0; i < 3; ++i) {
    tuner.tell(1.0 * i);
    CHECK(tuner.ask().why == reason::explore);
  }
  tuner.tell(5.0);
  CHECK(tuner.ask().why == reason::exploit);
}

TEST_CASE("failed trials are the worst there are") {
  // Everything above one half fails, and would otherwise be best.
  search_space const space{real{"a"}};
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    suggestions tuner = tpe(space, {.seed = seed});
    int failed = 0;
    for (int i = 0; i < 200; ++i) {
      double const at = tuner.ask().values[0];
      if (i >= 100) failed += at > 0.5;
      if (at > 0.5)
        tuner.tell({.metric = -100.0, .result = outcome::failed});
      else
        tuner.tell(-at);
    }
    CHECK(failed < 50);
  }
}

TEST_CASE("with nothing but failures the space is covered") {
  suggestions tuner = tpe({real{"a"}});
  double lowest = 1.0, highest = 0.0;
  for (int i = 0; i < 100; ++i) {
    lowest = std::min(lowest, tuner.ask().values[0]);
    highest = std::max(highest, tuner.ask().values[0]);
    tuner.tell(i % 2 ? nan_metric : std::numeric_limits<double>::infinity());
  }
  CHECK(lowest < 0.05);
  CHECK(highest > 0.95);
}

TEST_CASE("only what was applied is learned") {
  // Whatever is suggested, one half runs at 0.25 and is good; the other half runs at 0.75 and is bad.
  search_space const space{real{"a"}};
  suggestions tuner = tpe(space, {.seed = 1});
  for (int i = 0; i < 60; ++i) {
    tuner.ask();
    std::array const applied{i % 2 ? 0.25 : 0.75};
    tuner.tell({.metric = i % 2 ? 0.0 : 1.0, .applied = applied});
  }
  double sum = 0.0;
  for (int i = 0; i < 20; ++i) {
    sum += std::abs(tuner.ask().values[0] - 0.25) / 20;
    std::array const applied{i % 2 ? 0.25 : 0.75};
    tuner.tell({.metric = i % 2 ? 0.0 : 1.0, .applied = applied});
  }
  CHECK(sum < 0.1);
}

TEST_CASE("scaling and shifting the metric changes no suggestion of the estimator") {
  auto const run = [](double scale, double offset) {
    return trace(tpe(mixed_space(), {.seed = 9}), 80,
                 [=](int, configuration const& at) { return scale * std::round(1e6 * mixed_loss(at)) + offset; });
  };
  CHECK(run(3.0, -7.0) == run(1.0, 0.0));
}

TEST_CASE("the same seed gives the same suggestions, another does not") {
  auto const loss = [](int, configuration const& at) { return mixed_loss(at); };
  auto const once = trace(tpe(mixed_space(), {.seed = 4}), 100, loss);
  CHECK(trace(tpe(mixed_space(), {.seed = 4}), 100, loss) == once);
  CHECK(trace(tpe(mixed_space(), {.seed = 5}), 100, loss) != once);
}

TEST_CASE("the window bounds what is remembered") {
  // The optimum jumps; what was good before is forgotten after a window's length.
  search_space const space{real{"a"}};
  suggestions tuner = tpe(space, {.seed = 4, .window = 32});
  double late = 0.0;
  for (int i = 0; i < 300; ++i) {
    double const at = tuner.ask().values[0];
    if (i >= 250) late += std::abs(at - 0.9) / 50;
    tuner.tell(std::abs(at - (i < 150 ? 0.1 : 0.9)) + (i < 150 ? 0.0 : 10.0));
  }
  CHECK(late < 0.2);
}

TEST_CASE("suggestions of the estimator stay inside the reach") {
  suggestions tuner = tpe({real{"a"}, integer{"n", 0, 10}});
  std::array const lower{0.4, 0.3}, upper{0.5, 0.7};
  for (int i = 0; i < 60; ++i) {
    configuration const& at = tuner.ask().values;
    if (i > 0) {
      CHECK((at[0] >= 0.4 && at[0] <= 0.5));
      CHECK((at[1] >= 3.0 && at[1] <= 7.0));
    }
    tuner.tell({.metric = at[0] + at[1], .within = {lower, upper}});
  }
}

TEST_CASE("the estimator allocates nothing once it has begun") {
  suggestions tuner = tpe(mixed_space(), {.window = 64});
  support::noise random(1);
  for (int i = 0; i < 15; ++i) {
    tuner.ask();
    tuner.tell(random.normal());
  }
  support::allocation_count const counted;
  for (int i = 0; i < 300; ++i) {
    tuner.ask();
    tuner.tell(i % 7 ? random.normal() : nan_metric);
  }
  CHECK(counted.since() == 0);
}

TEST_CASE("options of the estimator that cannot be are named") {
  search_space const space = mixed_space();
  CHECK_THROWS_AS(tpe(space, {.start_up = 0}), invalid_option);
  CHECK_THROWS_AS(tpe(space, {.candidates = 0}), invalid_option);
  CHECK_THROWS_AS(tpe(space, {.window = 4}), invalid_option);
  CHECK_THROWS_AS(tpe(space, {.good_fraction = 0.0}), invalid_option);
  CHECK_THROWS_AS(tpe(space, {.good_fraction = 1.0}), invalid_option);
}
