#pragma once

#include <vector>

namespace training {

/// The middle value, or the mean of the two in the middle; what is NaN counts as `lost`. NaN for none.
double median(std::vector<double> values, double lost);

/// The greatest, and the least; the same about NaN.
double greatest(std::vector<double> const& values, double lost);
double least(std::vector<double> const& values, double lost);

}  // namespace training
