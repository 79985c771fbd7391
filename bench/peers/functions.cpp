#include "functions.hpp"

#include <array>
#include <cmath>
#include <numbers>

namespace peers {

namespace {

constexpr double pi = std::numbers::pi;

double branin(std::span<double const> u) {
  double const x = 15.0 * u[0] - 5.0;
  double const y = 15.0 * u[1];
  double const valley = y - 5.1 / (4.0 * pi * pi) * x * x + 5.0 / pi * x - 6.0;
  return valley * valley + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * std::cos(x) + 10.0 - 0.397887357729738;
}

double hartmann_6(std::span<double const> u) {
  constexpr std::array<double, 4> weight{1.0, 1.2, 3.0, 3.2};
  constexpr double width[4][6] = {
      {10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, 0.05, 10, 0.1, 14}};
  constexpr double center[4][6] = {{.1312, .1696, .5569, .0124, .8283, .5886},
                                   {.2329, .4135, .8307, .3736, .1004, .9991},
                                   {.2348, .1451, .3522, .2883, .3047, .6650},
                                   {.4047, .8828, .8732, .5743, .1091, .0381}};
  double sum = 0.0;
  for (std::size_t i = 0; i < 4; ++i) {
    double distance = 0.0;
    for (std::size_t k = 0; k < 6; ++k) distance += width[i][k] * (u[k] - center[i][k]) * (u[k] - center[i][k]);
    sum += weight[i] * std::exp(-distance);
  }
  return 3.322368011391339 - sum;
}

/// On [-10, 20]: the middle of the cube is not the minimum.
double ackley(std::span<double const> u) {
  double squares = 0.0;
  double waves = 0.0;
  auto const d = static_cast<double>(u.size());
  for (double one : u) {
    double const x = 30.0 * one - 10.0;
    squares += x * x / d;
    waves += std::cos(2.0 * pi * x) / d;
  }
  return 20.0 - 20.0 * std::exp(-0.2 * std::sqrt(squares)) + std::numbers::e - std::exp(waves);
}

/// On [-2, 2.5].
double rosenbrock(std::span<double const> u) {
  auto const at = [&](std::size_t i) { return 4.5 * u[i] - 2.0; };
  double sum = 0.0;
  for (std::size_t i = 0; i + 1 < u.size(); ++i) {
    sum += 100.0 * std::pow(at(i + 1) - at(i) * at(i), 2) + std::pow(1.0 - at(i), 2);
  }
  return sum;
}

}  // namespace

std::vector<function> standard_functions() {
  return {
      {"Branin", 2, branin, 0.5, 0.0},          {"Hartmann 6", 6, hartmann_6, 0.05, 0.0},
      {"Ackley 4", 4, ackley, 0.2, 0.0},        {"Rosenbrock 4", 4, rosenbrock, 1.0, 0.0},
      {"Branin, drifting", 2, branin, 0.5, .2}, {"Ackley 4, drifting", 4, ackley, 0.2, 0.2},
  };
}

}  // namespace peers
