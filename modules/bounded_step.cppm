module;
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <variant>
#include <vector>

module autotunenet:bounded_step;

import :archive;
import :search_space;
import :trial;

namespace autotunenet {

/// The box that one step can reach around what ran last: `max_delta` first, then at least one whole number either way,
/// then the bounds of the space. Reckoned anew only when what ran changes.
class bounded_step {
 public:
  bounded_step(search_space space, double max_delta);

  /// Moves the box. @pre values are not NaN, one per parameter
  void around(std::span<double const> values);
  /// The nearest reachable value. @pre `around` was called
  inline double nearest(std::size_t i, double wanted) const noexcept {
    return std::clamp(wanted, lower_[i], upper_[i]);
  }
  /// The box in the unit cube; valid until the next `around`.
  inline reach within() const noexcept { return {lower_unit_, upper_unit_}; }

  void fields(archive& a) {
    a(center_);
    if (!center_.empty() && center_.size() != lower_.size()) archive::refuse("holds values of another search space");
    if (!a.reading()) return;
    for (std::size_t i = 0; i < center_.size(); ++i) reckon(i, center_[i]);
  }

 private:
  struct axis {
    bool logarithmic = false;
    bool whole = false;
    bool free = false;
    double least = 0.0;  // the smallest magnitude a relative step is reckoned from
  };
  static axis describe(parameter const&);
  void reckon(std::size_t i, double from) noexcept;

  search_space space_;
  double max_delta_;
  std::vector<axis> axes_;
  std::vector<double> center_;
  std::vector<double> lower_, upper_;
  std::vector<double> lower_unit_, upper_unit_;
};

inline bounded_step::bounded_step(search_space space, double max_delta)
    : space_(space),
      max_delta_(max_delta),
      lower_(space.size()),
      upper_(space.size()),
      lower_unit_(space.size()),
      upper_unit_(space.size()) {
  for (std::size_t i = 0; i < space.size(); ++i) axes_.push_back(describe(space[i]));
}

inline bounded_step::axis bounded_step::describe(parameter const& p) {
  constexpr double part_of_range = 0.1;
  if (auto const* r = std::get_if<real>(&p)) {
    return {.logarithmic = r->spacing == scale::log, .least = part_of_range * (r->max - r->min)};
  }
  if (auto const* w = std::get_if<integer>(&p)) {
    double const range = static_cast<double>(w->max) - static_cast<double>(w->min);
    return {.logarithmic = w->spacing == scale::log, .whole = true, .least = part_of_range * range};
  }
  return {.free = true};
}

inline void bounded_step::around(std::span<double const> values) {
  if (std::ranges::equal(values, center_)) return;
  center_.assign(values.begin(), values.end());
  for (std::size_t i = 0; i < values.size(); ++i) reckon(i, values[i]);
}

inline void bounded_step::reckon(std::size_t i, double from) noexcept {
  axis const& a = axes_[i];
  if (a.free) {
    lower_[i] = space_.from_unit(i, 0.0);
    upper_[i] = space_.from_unit(i, 1.0);
    lower_unit_[i] = 0.0;
    upper_unit_[i] = 1.0;
    return;
  }
  double low = 0.0;
  double high = 0.0;
  if (a.logarithmic) {
    low = from / (1.0 + max_delta_);
    high = from * (1.0 + max_delta_);
  } else {
    double const step = max_delta_ * std::max(std::abs(from), a.least);
    low = from - step;
    high = from + step;
  }
  if (a.whole) {  // rounded inwards: the bounds of the space would round to the nearest
    low = std::min(std::ceil(low), std::ceil(from - 1.0));
    high = std::max(std::floor(high), std::floor(from + 1.0));
  }
  lower_[i] = space_.clamp(i, low);
  upper_[i] = space_.clamp(i, high);
  lower_unit_[i] = space_.to_unit(i, lower_[i]);
  upper_unit_[i] = space_.to_unit(i, upper_[i]);
}

}  // namespace autotunenet
