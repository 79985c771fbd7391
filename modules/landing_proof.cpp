#include "landing_proof.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>

namespace autotunenet {

namespace {
// Of the sweep's fall, what a run has to make to have proven itself, and what its value is divided by if it does not.
constexpr double proven_part = 0.7;
// The lowest of many metrics lies below where training is, by chance, by as many noises of the smoothed metric.
constexpr double chance_noises = 3.0;
constexpr double much_lower = 4.0;
// Standard errors of the fall that a guess has to make for a step further up, and to be better than a start of which
// nothing is known either.
constexpr double sure_errors = 3.0, likely_errors = 1.0;
// A lower guess is worth its proof from this ratio to the start on.
constexpr double well_above = 2.2;
// Training that is worse than it was before it began, by so much of the sweep's fall or of the noise, had something to
// lose, as a network that has been trained before: that takes far lower values. Where the sweep clearly fell it had
// not.
constexpr double harmed_part = 0.35, harmed_noises = 0.7;
// By this part of the proof that is judged, by the median: a value that jumps is followed by waves that settle, and
// where classes are rare or batches small a single metric may be a hundred times the usual one.
constexpr double judged_part = 0.5;
constexpr std::size_t least_judged = 9;
// A sweep's fall of fewer noises may be all that a network can do that no longer trains, as to tell classes by how
// frequent they are. Where the run has come little further by its proof, or not far and stands still by then, as a
// policy does that has given up to explore, a far lower value is tried for as long, and has to be better by so many
// standard errors, or, where few metrics leave those large, by so much of the noise.
constexpr double hidden_noises = 3.5, few_noises = 12.0;
constexpr double little_further = 2.5;
constexpr double has_to_gain_errors = 3.0;
constexpr double has_to_gain_noises = 0.7;
}  // namespace

double landing_proof::length_for(double part, std::size_t run) noexcept {
  return std::clamp(part * static_cast<double>(run), least_length, most_length);
}

landing_proof::landing_proof(double length, std::size_t restarts) noexcept
    : length_(length), restarts_(restarts), run_(fresh()), pilot_(length), later_(length) {}

landing_proof::training landing_proof::fresh() const noexcept {
  return {stretch(length_), running_median(std::max(static_cast<std::size_t>(judged_part * length_), least_judged))};
}

void landing_proof::add(stretch& to, double steps, std::optional<double> metric) noexcept {
  to.trained(steps);
  if (metric) to.measured(*metric);
}

void landing_proof::follow_first(double steps, std::optional<double> metric) noexcept { add(run_.all, steps, metric); }

void landing_proof::follow(double steps, std::optional<double> metric) noexcept {
  add(run_.all, steps, metric);
  if (metric) run_.recent.add(*metric);
}

void landing_proof::follow_pilot(double steps, std::optional<double> metric) noexcept { add(pilot_, steps, metric); }

bool landing_proof::harmed(range_curve const& swept) const noexcept {
  return run_.recent.known() && run_.recent.value() - swept.start_level() >
                                    (swept.fell() ? harmed_part * swept.fall() : harmed_noises * swept.start_noise());
}

bool landing_proof::trained(range_curve const& swept) const noexcept {
  if (guessed()) return falls_by(sure_errors, swept);
  return !(fall(swept) < proven_part * (swept.fall() - chance_noises * swept.smoothed_noise()));
}

bool landing_proof::unproven(range_curve const& swept) const noexcept {
  if (!should_fall_ || relapsed_) return false;
  return guessed() ? !falls_by(likely_errors, swept) : !trained(swept);
}

bool landing_proof::falls_by(double errors, range_curve const& swept) const noexcept {
  sample_mean const& late = run_.all.late();
  return swept.start_level() - late.mean() > errors * std::hypot(late.error(), swept.start_error());
}

bool landing_proof::doubtful(range_curve const& swept) const noexcept {
  bool const hardly_fell = swept.fall() < hidden_noises * swept.start_deviation();
  bool const stands_still = run_.all.stalled() && fall(swept) < few_noises * swept.start_deviation();
  return stands_still || (hardly_fell && fall(swept) < little_further * swept.fall());
}

std::optional<double> landing_proof::lower_guess() const noexcept {
  double const halfway = std::sqrt(value_ * start_);
  bool const can_return_then = restarted_ + 1 < restarts_;
  return can_return_then && halfway > well_above * start_ ? std::optional(halfway) : std::nullopt;
}

double landing_proof::after_harm(range_curve const& swept) noexcept {
  should_fall_ = false;
  return value_ / (swept.fell_clearly() ? much_lower : far_lower);
}

double landing_proof::after_failure() const noexcept {
  return clearly_higher(value_, safe_) ? safe_ : value_ / much_lower;
}

double landing_proof::after_relapse() const noexcept { return value_ / much_lower; }

bool landing_proof::pilot_clearly_better(double fall, range_curve const& swept) const noexcept {
  return clearly_above(run_.all.late(), pilot_.late(), has_to_gain_errors) ||
         pilot_fall(swept) - fall > has_to_gain_noises * swept.start_noise();
}

void landing_proof::take_pilot() noexcept {
  run_ = fresh();
  run_.all = pilot_;
}

bool landing_proof::watch(std::optional<double> metric) noexcept {
  relapsed_ = metric && later_.add(*metric);
  return relapsed_;
}

}  // namespace autotunenet
