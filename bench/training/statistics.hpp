#pragma once

#include <map>
#include <vector>

namespace training {

/// The middle value, or the mean of the two in the middle; what is NaN counts as `lost`. NaN for none.
double median(std::vector<double> values, double lost);

/// The greatest, and the least; the same about NaN.
double greatest(std::vector<double> const& values, double lost);
double least(std::vector<double> const& values, double lost);

/// What runs from one start reached: the median over their seeds.
struct reached {
  double start = 0.0;
  double accuracy = 0.0;
};

/// The best start first; of equals the lowest. The accuracies are of each seed, and 0 where they are NaN.
std::vector<reached> ranked(std::map<double, std::vector<double>> const& accuracies);

}  // namespace training
