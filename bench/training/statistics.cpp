#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace training {

namespace {

std::vector<double> cleaned(std::vector<double> values, double lost) {
  for (double& v : values)
    if (std::isnan(v)) v = lost;
  std::ranges::sort(values);
  return values;
}

constexpr double none = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double median(std::vector<double> values, double lost) {
  auto const sorted = cleaned(std::move(values), lost);
  if (sorted.empty()) return none;
  std::size_t const half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : 0.5 * (sorted[half - 1] + sorted[half]);
}

double greatest(std::vector<double> const& values, double lost) {
  auto const sorted = cleaned(values, lost);
  return sorted.empty() ? none : sorted.back();
}

double least(std::vector<double> const& values, double lost) {
  auto const sorted = cleaned(values, lost);
  return sorted.empty() ? none : sorted.front();
}

std::vector<reached> ranked(std::map<double, std::vector<double>> const& accuracies) {
  std::vector<reached> all;
  for (auto const& [start, of_seeds] : accuracies) all.push_back({start, median(of_seeds, 0.0)});
  std::ranges::stable_sort(all, std::greater{}, &reached::accuracy);
  return all;
}

}  // namespace training
