#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

import autotunenet;
import autotunenet.testing;

using namespace autotunenet;
using Catch::Matchers::WithinRel;
using support::scripted;

namespace {

search_space space() { return {real{"lr", 1e-6, 1.0, scale::log}, real{"momentum", 0.0, 0.9}}; }

constexpr double peak = 0.1;

/// The multiples of a constant peak, of a run whose metric is `of(progress)`.
template <class Metric>
std::vector<double> multiples(anneal_options options, std::size_t steps, Metric of) {
  auto tuner =
      scripted(space().at({{"lr", peak}, {"momentum", 0.5}}), [](suggestion& next) { next.why = reason::hold; }) |
      anneal(options);
  std::vector<double> found;
  for (std::size_t t = 0; t < steps; ++t) {
    suggestion const& s = tuner.ask();
    REQUIRE(s.values["momentum"] == 0.5);
    if (t > 0 && s.values["lr"] < peak) REQUIRE(s.why == reason::anneal);
    found.push_back(s.values["lr"] / peak);
    tuner.tell(of(static_cast<double>(t) / static_cast<double>(options.horizon)));
  }
  return found;
}

double learning(double progress) { return 1.0 - progress; }
double settled(double progress) { return std::exp(-progress / 0.03); }

}  // namespace

TEST_CASE("a cosine falls from the peak to the lower bound over the horizon, and stays there") {
  auto const found = multiples({.horizon = 100, .shape = annealing::cosine}, 150, learning);
  for (std::size_t t = 0; t < found.size(); ++t) {
    double const shape =
        0.5 * (1.0 + std::cos(std::numbers::pi * static_cast<double>(std::min<std::size_t>(t, 100)) / 100.0));
    REQUIRE_THAT(found[t], WithinRel(std::max(shape, 1e-6 / peak), 1e-9));
  }
}

TEST_CASE("a linear shape holds the peak first") {
  auto const found = multiples({.horizon = 100, .shape = annealing::linear, .hold = 0.6, .floor = 0.1}, 101, learning);
  CHECK(found[60] == 1.0);
  CHECK_THAT(found[80], WithinRel(0.55, 1e-9));
  CHECK_THAT(found[100], WithinRel(0.1, 1e-9));
}

TEST_CASE("a shape that is held to the end") {
  for (double const multiple : multiples({.horizon = 100, .shape = annealing::linear, .hold = 1.0}, 150, learning)) {
    REQUIRE(multiple == 1.0);
  }
}

TEST_CASE("a rise begins low and joins the shape") {
  auto const found = multiples({.horizon = 1000, .shape = annealing::linear, .rise = 0.01}, 20, learning);
  CHECK_THAT(found[0], WithinRel(0.1, 1e-9));
  CHECK_THAT(found[4], WithinRel(0.5 * 0.996, 1e-9));
  CHECK_THAT(found[10], WithinRel(0.99, 1e-9));
}

TEST_CASE("the adaptive shape is a cosine for half of the horizon, and then a line") {
  auto const adaptive = multiples({.horizon = 1000}, 1200, learning);
  auto const cosine = multiples({.horizon = 1000, .shape = annealing::cosine}, 1000, learning);
  CHECK(std::ranges::equal(std::span(adaptive).first(501), std::span(cosine).first(501)));
  for (std::size_t t = 501; t < 1000; ++t) {
    REQUIRE_THAT(adaptive[t], WithinRel(1.0 - static_cast<double>(t) / 1000.0, 1e-9));
  }
  for (std::size_t t = 1000; t < 1200; ++t) REQUIRE_THAT(adaptive[t], WithinRel(1e-6 / peak, 1e-9));
}

TEST_CASE("where training stands still at half of the horizon, the adaptive shape ends as a parabola") {
  auto const found = multiples({.horizon = 1000}, 1000, settled);
  CHECK_THAT(found[500], WithinRel(0.5, 1e-9));
  CHECK_THAT(found[750], WithinRel(0.125, 1e-9));
  CHECK_THAT(found[900], WithinRel(0.02, 1e-9));
  auto const jumping = [](double progress) { return settled(progress) + (progress > 0.4 ? 1.0 : 0.0); };
  CHECK_THAT(multiples({.horizon = 1000}, 1000, jumping)[750], WithinRel(0.25, 1e-9));
}

TEST_CASE("the adaptive shape ends at the floor") {
  for (auto const metric : {learning, settled}) {
    auto const found = multiples({.horizon = 100, .floor = 0.1}, 120, metric);
    CHECK_THAT(found[50], WithinRel(0.55, 1e-9));
    CHECK_THAT(found[100], WithinRel(0.1, 1e-9));
    CHECK_THAT(found[119], WithinRel(0.1, 1e-9));
  }
}

TEST_CASE("a resumed run keeps the shape that it had found out") {
  search_space const rate{real{"lr", 1e-6, 1.0, scale::log}};
  auto const made = [&] { return bayesian(rate, {.seed = 1}) | anneal({.horizon = 1000}); };
  auto whole = made(), first = made(), second = made();
  auto const drive = [](suggestions& tuner, int from, int to) {
    for (int t = from; t < to; ++t) {
      tuner.ask();
      tuner.tell(settled(t / 1000.0));
    }
  };
  drive(whole, 0, 600);
  drive(first, 0, 450);
  load(second, save(first));
  drive(second, 450, 600);
  CHECK(second.ask().values["lr"] == whole.ask().values["lr"]);
}
