module;
#include <algorithm>
#include <cstddef>
#include <format>
#include <limits>
#include <span>
#include <string_view>
#include <variant>

module autotunenet;

import :parameter_name;
import :tied_rates;
import :unit_box;

namespace autotunenet {

namespace {

// Where a parameter reaches down to 0, the part of its highest value that counts as its lowest.
constexpr double nearly_nothing = 1e-8;

}  // namespace

tied_rates::tied_rates(search_space const& space, std::string_view name, std::string_view stage) {
  check_name(space, name, stage, "parameter");
  for (std::size_t i = 0; i < space.size(); ++i) {
    if (!means(name, name_of(space[i]))) continue;
    auto const* kind = std::get_if<real>(&space[i]);
    if (!kind || !(kind->max > 0.0)) {
      throw invalid_option(
          std::format("{}: parameter \"{}\" must be real, with values above 0", stage, name_of(space[i])));
    }
    double const lowest = kind->min > 0.0 ? kind->min : nearly_nothing * kind->max;
    rates_.push_back({.index = i, .lowest = lowest});
    if (!first_) first_ = search_space{real{kind->name, lowest, kind->max, scale::log}};
  }
}

void tied_rates::tie(configuration const& values) {
  using limits = std::numeric_limits<double>;
  for (rate& one : rates_) {
    one.ratio =
        std::clamp(std::max(values[one.index], one.lowest) / value(values), limits::denorm_min(), limits::max());
  }
}

double tied_rates::value(configuration const& values) const noexcept { return value(values.values()); }
double tied_rates::value(std::span<double const> values) const noexcept {
  return std::max(values[rates_.front().index], rates_.front().lowest);
}

double tied_rates::ran(suggestion const& asked, observation const& seen) const {
  return value(applied_to(asked, seen));
}

double tied_rates::at(double unit) const noexcept { return first_->from_unit(0, unit); }

void tied_rates::set(configuration& values, double first) const {
  for (rate const& one : rates_) values.assign(one.index, one.ratio * first);
}

void tied_rates::hold_others(configuration& values, std::span<double const> others) const {
  for (std::size_t i = 0; i < others.size(); ++i) {
    if (std::ranges::none_of(rates_, [i](rate const& one) { return one.index == i; })) values.assign(i, others[i]);
  }
}

void tied_rates::fields(archive& a) {
  using limits = std::numeric_limits<double>;
  for (rate& one : rates_) a.between(one.ratio, limits::denorm_min(), limits::max());
}

}  // namespace autotunenet
