#pragma once
#include "../support/noisy_quadratic.hpp"

struct network : support::noisy_quadratic {
  using noisy_quadratic::noisy_quadratic;
};
