module;
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <format>
#include <span>
#include <utility>

module autotunenet;

import :unit_box;

namespace autotunenet {

void unit_box::assign(search_space const& space, reach within) {
  std::size_t const n = space.size();
  if ((!within.lower.empty() && within.lower.size() != n) || (!within.upper.empty() && within.upper.size() != n)) {
    throw invalid_option(
        std::format("observation.within has {} lower and {} upper bounds, but the search space has {} parameters",
                    within.lower.size(), within.upper.size(), n));
  }
  for (std::size_t i = 0; i < n; ++i) {
    bool const free = space.is_categorical(i);
    double const low = within.lower.empty() || free ? 0.0 : within.lower[i];
    double const high = within.upper.empty() || free ? 1.0 : within.upper[i];
    lower[i] = low > 0.0 ? std::min(low, 1.0) : 0.0;
    upper[i] = high < 1.0 ? std::max(high, 0.0) : 1.0;
    if (lower[i] > upper[i]) std::swap(lower[i], upper[i]);
  }
}

double settle(search_space const& space, std::size_t i, double unit, double lower, double upper) noexcept {
  constexpr double slack = 1e-9;  // a bound that stands for a whole number may miss it by a rounding error
  double const inside = std::clamp(unit, lower, upper);
  if (space.count(i) == 0.0) return inside;
  double const native = space.from_unit(i, inside);
  double const nearest = space.to_unit(i, native);
  if (nearest >= lower - slack && nearest <= upper + slack) return nearest;
  double const other = space.to_unit(i, nearest > upper ? native - 1.0 : native + 1.0);
  return other >= lower - slack && other <= upper + slack ? other : nearest;
}

bool indexed(search_space const& space, std::span<double const> values) noexcept {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (space.is_categorical(i) && !std::isnan(values[i]) && !space.contains(i, values[i])) return false;
  }
  return true;
}

void refuse_applied(std::size_t given, std::size_t wanted) {
  throw invalid_option(
      std::format("observation.applied has {} values, but the search space has {} parameters", given, wanted));
}

void check_start(search_space const& space, configuration const& start, char const* tuner) {
  if (!start.empty() && !(start.space() == space)) {
    throw invalid_option(std::format("{}: start belongs to another search space; make it by space.at(...)", tuner));
  }
}

void unit_box::fields(archive& a) {
  a.same_size(lower).same_size(upper);
  for (std::size_t i = 0; i < lower.size(); ++i) {
    if (!(lower[i] >= 0.0 && lower[i] <= upper[i] && upper[i] <= 1.0))
      archive::refuse("holds what is no box in the unit cube");
  }
}

}  // namespace autotunenet
