#include "range_sweep.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace autotunenet {

namespace {
// Of the horizon, what a sweep of the fewest steps may take.
constexpr double largest_part = 0.25;
// Where the lowest metric comes late, the value that made most of it is the safer guide.
constexpr double most_of_the_fall = 2.0 / 3.0;
// Where the metric never clearly fell but diverged, training works somewhere between the edge of divergence divided by
// this and by `back_off`.
constexpr double works_above = 10.0;
}  // namespace

std::size_t range_sweep::steps_for(options const& given) noexcept {
  if (given.horizon == 0) return given.most_steps;
  auto const horizon = static_cast<double>(given.horizon);
  if (static_cast<double>(given.least_steps) > largest_part * horizon) return 0;
  // Few points make a poor sweep: a short run affords relatively more of them.
  auto const usual = std::max(given.enough_steps, static_cast<std::size_t>(given.part * horizon));
  auto const affordable = static_cast<std::size_t>(given.most_part * horizon);
  return std::max(std::min({given.most_steps, usual, affordable}), given.least_steps);
}

bool range_sweep::overridden(double wanted, double ran) noexcept {
  constexpr std::size_t by_chance = 2;
  constexpr double apart = 1.01;
  not_followed_ = ran > apart * wanted || wanted > apart * ran ? not_followed_ + 1 : 0;
  return not_followed_ > by_chance;
}

bool range_sweep::fail(double value) {
  constexpr double about_the_same = 10.0;
  bool const again = value < about_the_same * failed_at_ && failed_at_ < about_the_same * value;
  if (curve_.warned() || again) {
    curve_.fail();
    return false;
  }
  random_ = repeated_ == most_repeats;
  if (random_) return false;
  ++repeated_;
  failed_at_ = value;
  curve_ = range_curve(steps_);
  return true;
}

range_sweep::landing range_sweep::where_it_fell(double ratio) const noexcept {
  double safe = std::min(curve_.edge() / options_.back_off, curve_.fallen_by(most_of_the_fall));
  if (!curve_.fell_clearly()) safe = std::max(safe, curve_.edge() / greatest_divisor());
  return {.value = std::min(safe * raise(), curve_.edge() / least_divisor(ratio)), .safe = safe};
}

double range_sweep::nearest_that_works(double start) const noexcept {
  double const edge = curve_.edge();
  if (edge == std::numeric_limits<double>::infinity()) return start;
  return std::clamp(start, edge / greatest_divisor(), edge / options_.back_off);
}

double range_sweep::greatest_divisor() const noexcept { return std::max(works_above, options_.back_off); }

// The edge is not known better than the sweep is fine: a value that breaks training shows it a few values later.
double range_sweep::least_divisor(double ratio) const noexcept {
  return std::clamp(ratio * ratio, options_.least_back_off, options_.back_off);
}

// How much higher a short run begins.
double range_sweep::raise() const noexcept {
  if (options_.horizon == 0) return 1.0;
  return std::max(1.0, std::sqrt(static_cast<double>(options_.long_run) / static_cast<double>(options_.horizon)));
}

}  // namespace autotunenet
