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
constexpr double most_of_the_fall = 0.7;
// Where the metric never clearly fell but diverged, training works somewhere between the edge of divergence divided by
// this and by `back_off`.
constexpr double works_above = 10.0;
constexpr double infinity = std::numeric_limits<double>::infinity();
// A rough pass holds the lowest value for some metrics, to learn the level at the start, and rises quickly then. Where
// it diverges shows late, and where it fell even later, so the finer pass begins far below both, and may rise as slowly
// as shows soon enough what a value does: one that rises more slowly still finds what a network bears that was warmed
// up.
constexpr std::size_t least_held = 4, of_which_held = 8;
constexpr double fine_ratio = 1.15;
constexpr double little_above = 2.0, far_below_divergence = 1000.0, far_below_fall = 100.0;
// Fewer values than these make no finer pass.
constexpr std::size_t least_fine = 10;
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

void range_sweep::begin(double lowest, double highest) {
  constexpr double rounding = 1e-9;  // of a whole number of decades
  auto const rising = static_cast<std::size_t>(std::ceil(decades_between(lowest, highest) - rounding));
  std::size_t const held = std::max(least_held, steps_ / of_which_held);
  rough_ = highest / far_below_divergence > lowest && steps_ > held + rising + least_fine;
  pass_ = rough_ ? sweep_pass(lowest, highest, held + rising + 1, held) : sweep_pass(lowest, highest, steps_, 0);
  curve_ = range_curve(curve_length());
}

bool range_sweep::refine() {
  if (!rough_ || random_) return false;
  rough_ = false;
  curve_.end();
  // The curve puts the edge before the value that showed it.
  if (curve_.diverged() && broken_at_ == infinity)
    broken_at_ = std::max(pass_.lowest(), std::min(pass_.last(), curve_.edge() * lag()));
  double const highest = std::max(pass_.lowest(), std::min(pass_.last(), little_above * broken_at_));
  double lowest = std::min(highest, broken_at_) / far_below_divergence;
  if (curve_.fell()) lowest = std::min(lowest, curve_.fallen_by(most_of_the_fall) / far_below_fall);
  lowest = std::max(lowest, pass_.lowest());
  auto const enough = static_cast<std::size_t>(decades_between(lowest, highest) / std::log10(fine_ratio)) + 2;
  std::size_t const left = std::max(steps_ - pass_.taken(), least_fine);
  pass_ = sweep_pass(lowest, highest, std::min(enough, left), 0);
  curve_.begin_again(steps_);
  return true;
}

void range_sweep::add(double metric) { curve_.add(pass_.taken() == 1 ? pass_.last() : pass_.before_last(), metric); }

bool range_sweep::fail() {
  double const value = pass_.last();
  // Nothing is lower: whatever failed there, it was not that the value is too high.
  bool const blameless = value <= pass_.lowest();
  // Values that rise faster fail later.
  double const apart = rough_failed_ ? 100.0 : std::clamp(lag() * lag(), 1.5, 3.0);
  bool const again = !blameless && value < apart * failed_at_ && failed_at_ < apart * value;
  // Twice at about the same value may be chance.
  bool const no_chance = rough_failed_ || repeated_ == most_repeats;
  if (curve_.warned() || (again && no_chance)) {
    curve_.fail();
    if (rough_) {
      rough_failed_ = true;
      broken_at_ = failed_at_ = value;
    }
    return false;
  }
  random_ = repeated_ == most_repeats;
  if (random_) return false;
  ++repeated_;
  if (!blameless) failed_at_ = value;
  if (curve_.settled())
    curve_.begin_again(curve_length());
  else
    curve_ = range_curve(curve_length());
  pass_.begin_again();
  return true;
}

range_sweep::landing range_sweep::where_it_fell() const noexcept {
  double safe = std::min(edge() / options_.back_off, curve_.fallen_by(most_of_the_fall));
  if (!curve_.fell_clearly()) safe = std::max(safe, edge() / greatest_divisor());
  return {.value = std::min(safe * raise(), edge() / least_divisor()), .safe = safe};
}

double range_sweep::nearest_that_works(double start) const noexcept {
  // Where next to nothing was measured, what did harm did not show either.
  if (!diverged()) return curve_.settled() ? std::max(start, highest_harmless() / options_.back_off) : start;
  return std::clamp(start, edge() / greatest_divisor(), edge() / options_.back_off);
}

double range_sweep::edge() const noexcept { return std::min(curve_.edge(), broken_at_); }

// By what the values rise until one shows what it does.
double range_sweep::lag() const noexcept { return pass_.ratio() * pass_.ratio(); }

double range_sweep::highest_harmless() const noexcept { return pass_.last() / lag(); }

double range_sweep::greatest_divisor() const noexcept { return std::max(works_above, options_.back_off); }

// The edge is not known better than the sweep is fine.
double range_sweep::least_divisor() const noexcept {
  return std::clamp(lag(), options_.least_back_off, options_.back_off);
}

// How much higher a short run begins.
double range_sweep::raise() const noexcept {
  if (options_.horizon == 0) return 1.0;
  return std::max(1.0, std::sqrt(static_cast<double>(options_.long_run) / static_cast<double>(options_.horizon)));
}

}  // namespace autotunenet
