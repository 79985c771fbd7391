#pragma once
#include <cstddef>
#include <span>
#include <vector>

namespace peers {

/// A standard function of the unit cube, shifted so that its minimum is 0.
struct function {
  char const* name;
  std::size_t dimensions;
  double (*value)(std::span<double const> unit);
  double noise;  ///< standard deviation of a measurement
  double drift;  ///< how far, in units of the cube, the function has moved along each dimension at the end of a run
};

std::vector<function> standard_functions();

}  // namespace peers
