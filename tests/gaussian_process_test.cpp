#include <algorithm>
#include <array>
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "support/allocations.hpp"
#include "support/noise.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Approx;

namespace {

using point = std::array<double, 2>;

constexpr std::array<point, 6> inputs{{{.1, .2}, {.4, .9}, {.75, .3}, {.9, .8}, {.5, .5}, {.05, .95}}};
constexpr std::array<double, 6> targets{.3, -.7, 1.1, .4, .9, -1.2};
constexpr std::array<double, 6> errors{0, .1, 0, .2, 0, .3};
constexpr std::array<point, 3> queries{{{.2, .3}, {.6, .6}, {1., 0.}}};

Approx near(double value) { return Approx(value).epsilon(1e-9).margin(1e-9); }

gaussian_process plain(std::size_t capacity = 6) {
  gaussian_process made({.categorical = {false, false}, .capacity = capacity, .constant = 0.8});
  made.parameters({.signal = 1.3, .noise = 0.3, .metric = 0.0, .step = 0.0, .length = {0.4, 0.7}});
  return made;
}

gaussian_process fitted() {
  gaussian_process made = plain();
  for (std::size_t i = 0; i < inputs.size(); ++i)
    made.append(inputs[i], 0.0, {.value = targets[i], .noise = errors[i]});
  return made;
}

// Three categories as the unit coordinate of the second dimension, forgetting, and steps.
constexpr std::array<double, 3> choices{1. / 6, .5, 5. / 6};
gaussian_process full() {
  gaussian_process made({.categorical = {false, true}, .capacity = 6, .learn_half_life = true, .constant = 0.8});
  made.parameters({.signal = 1.3, .noise = 0.3, .metric = 0.0, .step = 0.5, .half_life = 5.0, .length = {0.4, 0.8}});
  constexpr std::array<double, 6> times{1, 2, 3, 4, 6, 7};
  constexpr std::array<std::size_t, 6> chosen{0, 1, 1, 0, 2, 1};
  constexpr std::array<double, 6> steps{0, .3, .35, .15, -.4, -.45};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    made.append(point{inputs[i][0], choices[chosen[i]]}, times[i],
                {.value = targets[i], .noise = errors[i], .step = point{steps[i], 0.0}});
  }
  made.look_at(8.0);
  return made;
}

gaussian_process random_process(std::size_t dimensions, std::size_t n, std::size_t capacity, bool chained) {
  gaussian_process made({.categorical = std::vector<bool>(dimensions, false), .capacity = capacity, .half_life = 40.0});
  support::noise random{11};
  std::vector<double> x(dimensions), step(dimensions);
  for (std::size_t i = 0; i < n; ++i) {
    for (double& value : x) value = random.uniform();
    for (double& value : step) value = chained ? random.normal() : 0.0;
    made.append(x, static_cast<double>(i),
                {.value = std::sin(6.0 * x[0]) + 0.3 * random.normal(),
                 .noise = 0.1 * random.uniform(),
                 .step = step,
                 .metrics = chained ? 2U : 0U,
                 .chained = chained && i % 5 != 0,
                 .shared_noise = 0.02});
  }
  return made;
}

}  // namespace

// Reference: sklearn 1.4.2, GaussianProcessRegressor(ConstantKernel(0.64) + ConstantKernel(1.69) * Matern([0.4, 0.7],
// nu=2.5), alpha = 0.09 + errors**2, optimizer=None), predict(queries, return_cov=True).
TEST_CASE("the posterior is that of another implementation") {
  gaussian_process process = fitted();
  constexpr std::array<double, 3> means{0.34574129580565593, 0.7243171640197924, 0.6185111829791468};
  constexpr std::array<double, 3> variances{0.1748261393721573, 0.14342301292526072, 0.9551184313125196};
  for (std::size_t i = 0; i < queries.size(); ++i) {
    posterior const found = process.predict(queries[i]);
    CHECK(found.mean == near(means[i]));
    CHECK(found.variance == near(variances[i]));
  }
  CHECK(process.log_likelihood() == near(-7.741480404222353));
  process.refer_to(queries[1]);
  posterior const difference = process.difference(queries[0]);
  CHECK(difference.mean == near(-0.37857586821413647));
  CHECK(difference.variance == near(0.37752202088286957));
}

// Reference: numpy, from the formula in the contract: K = 0.64 + 1.69 * Matern([0.4])(x) * exp(-[c != c'] / 0.8) *
// 2**(-|t - t'| / 5) + 0.25 * outer(step, step) + diag(0.09 + errors**2), solved by numpy.linalg.solve.
TEST_CASE("categories, forgetting and steps enter the posterior as the contract says") {
  gaussian_process process = full();
  constexpr std::array<std::size_t, 3> chosen{1, 0, 2};
  constexpr std::array<double, 3> means{-0.8167473175830084, 0.29189614046184653, 0.46331947170001647};
  constexpr std::array<double, 3> variances{0.7409157693672199, 1.423336260868076, 1.6277685690788366};
  for (std::size_t i = 0; i < queries.size(); ++i) {
    posterior const found = process.predict(point{queries[i][0], choices[chosen[i]]});
    CHECK(found.mean == near(means[i]));
    CHECK(found.variance == near(variances[i]));
  }
  CHECK(process.log_likelihood() == near(-8.972221146018933));
  process.refer_to(point{queries[1][0], choices[0]});
  posterior const difference = process.difference(point{queries[0][0], choices[1]});
  CHECK(difference.mean == near(-1.108643458044855));
  CHECK(difference.variance == near(1.8930310515086575));
}

TEST_CASE("the difference from a point to itself is nothing, and certain") {
  gaussian_process process = fitted();
  process.refer_to(queries[0]);
  posterior const none = process.difference(queries[0]);
  CHECK(none.mean == Approx(0.0).margin(1e-12));
  CHECK(none.variance == Approx(0.0).margin(1e-12));
}

TEST_CASE("without observations the posterior is the prior") {
  gaussian_process process = plain();
  std::array<double, 2> by_mean{}, by_variance{};
  posterior const prior = process.predict(queries[0], by_mean, by_variance);
  CHECK(prior.mean == 0.0);
  CHECK(prior.variance == near(0.64 + 1.69));
  CHECK(by_mean[0] == 0.0);
  CHECK(by_variance[0] == 0.0);
  CHECK(process.log_likelihood() == 0.0);
  process.learn();
}

TEST_CASE("gradients of the posterior are those of finite differences") {
  for (bool steps : {false, true}) {
    gaussian_process process = random_process(3, 40, 64, steps);
    std::array<double, 3> const at{0.3, 0.62, 0.48};
    std::array<double, 3> by_mean{}, by_variance{}, difference_mean{}, difference_variance{};
    process.refer_to(std::array<double, 3>{0.5, 0.5, 0.4});
    process.predict(at, by_mean, by_variance);
    process.difference(at, difference_mean, difference_variance);
    constexpr double h = 1e-5;
    for (std::size_t k = 0; k < 3; ++k) {
      auto up = at, down = at;
      up[k] += h;
      down[k] -= h;
      posterior const above = process.predict(up), below = process.predict(down);
      CHECK(by_mean[k] == Approx((above.mean - below.mean) / (2 * h)).epsilon(1e-6).margin(1e-8));
      CHECK(by_variance[k] == Approx((above.variance - below.variance) / (2 * h)).epsilon(1e-6).margin(1e-8));
      posterior const plus = process.difference(up), minus = process.difference(down);
      CHECK(difference_mean[k] == Approx((plus.mean - minus.mean) / (2 * h)).epsilon(1e-6).margin(1e-8));
      CHECK(difference_variance[k] == Approx((plus.variance - minus.variance) / (2 * h)).epsilon(1e-6).margin(1e-8));
    }
  }
}

TEST_CASE("the gradient of the likelihood is that of finite differences") {
  gaussian_process process = full();
  process.append(point{0.3, choices[0]}, 8.0, {.value = 0.4, .noise = 0.2, .metrics = 2});
  process.append(point{0.6, choices[1]}, 9.0,
                 {.value = 1.4, .noise = 0.2, .metrics = 2, .chained = true, .shared_noise = 0.1});
  hyperparameters at = process.parameters();
  at.metric = 0.35;
  process.parameters(at);
  std::array<double, 7> slope{};
  process.log_likelihood(slope);
  constexpr double h = 1e-5;
  for (std::size_t k = 0; k < slope.size(); ++k) {
    auto const moved = [&](double by) {
      hyperparameters to = at;
      std::array<double*, 7> const all{&to.signal,    &to.noise,     &to.metric,   &to.step,
                                       &to.half_life, &to.length[0], &to.length[1]};
      *all[k] *= std::exp(by);
      process.parameters(to);
      return process.log_likelihood();
    };
    double const expected = (moved(h) - moved(-h)) / (2 * h);
    CHECK(slope[k] == Approx(expected).epsilon(1e-6).margin(1e-7));
    CHECK(std::abs(expected) > 1e-3);
  }
}

// By hand: the sum of three improvements in a chain is the first metric less the last, so its noise is that of two
// metrics.
TEST_CASE("the noise of improvements in a chain cancels in their sum") {
  gaussian_process process({.categorical = {false}, .capacity = 4, .constant = 1000.0});
  process.parameters({.signal = 0.0, .noise = 0.0, .metric = 0.5, .step = 0.0, .length = {1.0}});
  for (int i = 0; i < 3; ++i) process.append(std::array{0.5}, i, {.value = 1.0, .metrics = 2, .chained = i > 0});
  // With a flat prior the variance of the mean is that of generalised least squares, 1 / (1' K^-1 1): K / metric^2 is
  // tridiagonal (2, -1), whose inverse sums up to n (n + 1) (n + 2) / 12 = 5.
  CHECK(process.predict(std::array{0.5}).variance == Approx(0.25 / 5.0).epsilon(1e-4));
}

TEST_CASE("a window that slides is the same as one filled with what it still holds") {
  constexpr std::size_t capacity = 24;
  gaussian_process sliding({.categorical = {false, false}, .capacity = capacity, .half_life = 30.0});
  gaussian_process fresh = sliding;
  support::noise random{3};
  std::vector<std::array<double, 5>> all;
  for (int i = 0; i < 100'000; ++i) {
    all.push_back({random.uniform(), random.uniform(), random.normal(), 0.1 * random.uniform(), random.normal()});
    auto const& [a, b, y, error, step] = all.back();
    sliding.append(point{a, b}, i, {.value = y, .noise = error, .step = point{step, 0.0}});
  }
  for (std::size_t i = all.size() - capacity; i < all.size(); ++i) {
    auto const& [a, b, y, error, step] = all[i];
    fresh.append(point{a, b}, static_cast<double>(i), {.value = y, .noise = error, .step = point{step, 0.0}});
  }
  CHECK(sliding.size() == capacity);
  CHECK(sliding.factor_error() < 1e-12);
  CHECK(sliding.log_likelihood() == near(fresh.log_likelihood()));
  for (point const& query : queries) {
    CHECK(sliding.predict(query).mean == near(fresh.predict(query).mean));
    CHECK(sliding.predict(query).variance == near(fresh.predict(query).variance));
  }
}

TEST_CASE("near-duplicates without noise neither break the factor nor the posterior") {
  gaussian_process process({.categorical = {false, false}, .capacity = 32});
  process.parameters({.signal = 1.0, .noise = 0.0, .metric = 0.0, .step = 0.0, .length = {0.5, 0.5}});
  for (int i = 0; i < 200; ++i) process.append(point{0.5 + 1e-13 * i, 0.5}, i, {.value = 1.0});
  posterior const there = process.predict(point{0.5, 0.5});
  CHECK(there.mean == Approx(1.0).epsilon(1e-4));
  CHECK(there.variance < 1e-4);
  CHECK(process.factor_error() < 1e-9);
  hyperparameters const same = process.parameters();
  process.parameters(same);
  CHECK(process.predict(point{0.5, 0.5}).mean == Approx(1.0).epsilon(1e-4));
}

TEST_CASE("a constant metric is learned as one, and leaves the hyperparameters within their bounds") {
  gaussian_process process({.categorical = {false, false}, .capacity = 32});
  support::noise random{5};
  for (int i = 0; i < 300; ++i) {
    process.append(point{random.uniform(), random.uniform()}, i, {});
    process.learn();
  }
  CHECK(std::abs(process.predict(point{0.5, 0.5}).mean) < 1e-9);
  CHECK(process.parameters().noise >= 0.9e-3);
  CHECK(process.parameters().signal >= 0.049);
}

TEST_CASE("learning finds which dimension matters") {
  gaussian_process process = random_process(3, 64, 64, false);
  for (int i = 0; i < 150; ++i) process.learn();
  hyperparameters const& found = process.parameters();
  CHECK(found.length[0] < 0.5);
  CHECK(found.length[1] > 2.0 * found.length[0]);
  CHECK(found.length[2] > 2.0 * found.length[0]);
  CHECK(found.noise == Approx(0.3).margin(0.12));
}

TEST_CASE("learning finds whether what is measured moves") {
  auto const learned_half_life = [](double per_step) {
    gaussian_process process({.categorical = {false}, .capacity = 64, .half_life = 100.0, .learn_half_life = true});
    support::noise random{7};
    for (int i = 0; i < 150; ++i) {
      double const x = random.uniform();
      process.append(std::array{x}, i, {.value = std::sin(6.0 * x + per_step * i) + 0.05 * random.normal()});
      process.learn();
    }
    return process.parameters().half_life;
  };
  CHECK(learned_half_life(0.1) < 50.0);
  CHECK(learned_half_life(0.0) > 1000.0);
}

TEST_CASE("a half-life stays as it is unless it is learned, be it endless") {
  for (bool const learned : {false, true}) {
    for (double given : {5.0, std::numeric_limits<double>::infinity()}) {
      gaussian_process process({.categorical = {false}, .capacity = 8, .half_life = given, .learn_half_life = learned});
      for (int i = 0; i < 20; ++i) {
        process.append(std::array{0.05 * i}, i, {.value = 0.1 * i});
        process.learn();
      }
      CHECK((process.parameters().half_life == given) == !learned);
      CHECK(std::isfinite(process.parameters().half_life) == (learned || std::isfinite(given)));
      CHECK(std::isfinite(process.parameters().signal));
    }
  }
}

TEST_CASE("what happened long ago is forgotten") {
  gaussian_process process({.categorical = {false}, .capacity = 8, .half_life = 5.0, .constant = 0.0});
  process.append(std::array{0.5}, 0.0, {.value = 3.0});
  process.look_at(0.0);
  double const fresh = process.predict(std::array{0.5}).mean;
  process.look_at(5.0);
  CHECK(process.predict(std::array{0.5}).mean == near(0.5 * fresh));
}

TEST_CASE("the immediate effect of a step is not taken for the worth of where it leads") {
  // Each move to the left gives at once what the next move to the right takes away; no place is better than another.
  auto const slope_at = [](bool told) {
    gaussian_process process({.categorical = {false}, .capacity = 64});
    double before = 0.5;
    support::noise random{2};
    for (int i = 0; i < 64; ++i) {
      double const x = i % 3 == 0 ? 0.4 : 0.5;  // staying, too, tells the two apart
      double const step = x - before;
      process.append(
          std::array{x}, i,
          {.value = -10.0 * step + 0.1 * random.normal(), .step = told ? std::span(&step, 1) : std::span<double>()});
      before = x;
      if (i > 8) process.learn();
    }
    process.refer_to(std::array{0.5});
    return process.difference(std::array{0.4}).mean;
  };
  CHECK(slope_at(false) > 0.5);
  CHECK(std::abs(slope_at(true)) < 0.15);
}

TEST_CASE("a surrogate in use allocates nothing") {
  gaussian_process process = random_process(4, 100, 64, true);
  std::array<double, 4> by_mean{}, by_variance{}, x{.1, .2, .3, .4};
  support::allocation_count const counted;
  for (int i = 100; i < 400; ++i) {
    x[0] = 0.001 * i;
    process.append(x, i, {.value = 0.1});
    process.refer_to(x);
    x[1] = 0.5;
    process.difference(x, by_mean, by_variance);
    process.predict(x, by_mean, by_variance);
    if (i % 8 == 0) process.learn();
  }
  CHECK(counted.since() == 0);
}

TEST_CASE("a copied surrogate goes its own way") {
  gaussian_process process = fitted();
  gaussian_process copy = process;
  double const mean = process.predict(queries[0]).mean;
  copy.append(queries[0], 1.0, {.value = 5.0});
  CHECK(process.predict(queries[0]).mean == mean);
  CHECK(copy.predict(queries[0]).mean > mean);
  copy = process;
  CHECK(copy.predict(queries[0]).mean == mean);
}

TEST_CASE("a surrogate that cannot be says so") {
  CHECK_THROWS_AS(gaussian_process({.categorical = {}}), invalid_option);
  CHECK_THROWS_AS(gaussian_process({.categorical = {false}, .capacity = 0}), invalid_option);
  CHECK_THROWS_AS(gaussian_process({.categorical = {false}, .half_life = 0.0}), invalid_option);
  gaussian_process process = plain();
  double const nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(process.parameters({.length = {1.0}}), invalid_option);
  CHECK_THROWS_AS(process.parameters({.length = {1.0, 0.0}}), invalid_option);
  CHECK_THROWS_AS(process.parameters({.signal = nan, .length = {1.0, 1.0}}), invalid_option);
  CHECK_THROWS_AS(process.parameters({.half_life = 0.0, .length = {1.0, 1.0}}), invalid_option);
  CHECK(process.parameters().length[0] == 0.4);
}

TEST_CASE("a subset of everything is the whole window") {
  constexpr auto everything = std::numeric_limits<std::size_t>::max();
  gaussian_process all({.categorical = {false}, .capacity = 8, .subset = everything});
  gaussian_process whole({.categorical = {false}, .capacity = 8, .subset = 8});
  for (gaussian_process* process : {&all, &whole}) {
    for (int i = 0; i < 8; ++i) process->append(std::array{0.1 * i}, i, {.value = std::sin(i)});
    process->learn();
  }
  CHECK(all.parameters().signal == whole.parameters().signal);
}

TEST_CASE("nothing that is not finite gets into a surrogate") {
  gaussian_process process = fitted();
  std::vector<std::byte> const before = save(process);
  for (double const wrong : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    point const place{0.5, wrong};
    CHECK_THROWS_AS(process.append(place, 1.0, {.value = 1.0}), invalid_option);
    CHECK_THROWS_AS(process.append(inputs[0], wrong, {.value = 1.0}), invalid_option);
    CHECK_THROWS_AS(process.append(inputs[0], 1.0, {.value = wrong}), invalid_option);
    CHECK_THROWS_AS(process.append(inputs[0], 1.0, {.value = 1.0, .noise = wrong}), invalid_option);
    CHECK_THROWS_AS(process.append(inputs[0], 1.0, {.value = 1.0, .step = place}), invalid_option);
    CHECK_THROWS_AS(process.values(std::vector<double>(process.size(), wrong)), invalid_option);
  }
  CHECK_THROWS_AS(process.append(inputs[0], 1.0, {.value = 1.0, .noise = 1e200}), invalid_option);
  CHECK(save(process) == before);
}

TEST_CASE("values too large to reckon with leave the hyperparameters as they are") {
  gaussian_process process = plain();
  for (std::size_t i = 0; i < inputs.size(); ++i) process.append(inputs[i], 0.0, {.value = 1e200 * targets[i]});
  process.learn(0.1, 3);
  CHECK(process.parameters().signal == near(1.3));
  CHECK(process.parameters().noise == near(0.3));
  process.values(targets);
  process.learn(0.1, 3);
  CHECK(process.parameters().signal != near(1.3));
  CHECK(std::isfinite(process.predict(queries[0]).mean));
}

TEST_CASE("what is saved of a surrogate follows from what it was told alone") {
  auto const saved = [] {
    gaussian_process made = plain(64);
    for (std::size_t i = 0; i < inputs.size(); ++i) made.append(inputs[i], 0.0, {.value = targets[i]});
    return save(made);
  };
  std::vector<std::byte> const first = saved();
  {
    gaussian_process other = plain(64);
    for (int i = 0; i < 64; ++i) other.append(inputs[static_cast<std::size_t>(i % 6)], i, {.value = 7.0});
    other.refer_to(inputs[0]);
    CHECK(other.difference(inputs[1]).variance > 0.0);
  }
  CHECK(saved() == first);
}

TEST_CASE("neighbours that claim to share more noise than they have leave everything finite") {
  gaussian_process made({.categorical = {false}, .capacity = 8});
  std::array<double, 1> x{0.5};
  for (int i = 0; i < 40; ++i) {
    x[0] = i % 3 == 0 ? 0.5 : 0.52;
    made.append(x, i, {.value = i % 2 == 0 ? 3.0 : -3.0, .metrics = 2, .chained = true, .shared_noise = 10.0});
    made.learn();
    CHECK(std::isfinite(made.predict(x).mean));
    CHECK(std::isfinite(made.predict(x).variance));
    CHECK(std::isfinite(made.parameters().signal));
  }
}
