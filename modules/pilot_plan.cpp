#include "pilot_plan.hpp"

#include <algorithm>
#include <cstddef>

namespace autotunenet {

namespace {
// Upwards step by step, and where the first of these is no good, once down.
constexpr double step_up = 2.0;
constexpr double step_down = 0.35;
// Of the horizon, what the sweep and a step up that leads nowhere may take together where a further one is a question.
constexpr double budget = 0.1;
// Of the run's fall, a pilot's gain that is none.
constexpr double next_to_nothing = 0.05;
}  // namespace

pilot_plan::pilot_plan(std::size_t length, std::size_t doubt_length, std::size_t horizon) noexcept
    : affordable_(budget * static_cast<double>(horizon)), current_(length), doubts_(doubt_length) {}

void pilot_plan::follow(double steps, double fall) noexcept {
  current_.follow(steps, fall);
  doubts_.follow(steps, fall);
}

// The copy that it begins from takes the place of what the run left for a pilot.
void pilot_plan::doubt() noexcept {
  doubted_ = true;
  taken_ = false;
  current_ = doubts_;
}

double pilot_plan::higher() const noexcept { return step_up * compared_value(); }
double pilot_plan::lower() const noexcept { return step_down * compared_value(); }
double pilot_plan::far_lower() const noexcept { return 1.0 / landing_proof::far_lower * compared_value(); }

pilot_plan::move pilot_plan::add(bool bad, landing_proof const& proof, range_curve const& swept) noexcept {
  bool const failed = bad || !proof.pilot_measured();
  switch (current_.add(failed ? 0.0 : proof.pilot_fall(swept), failed, unit(swept))) {
    case pilots::verdict::open:
      return move::wait;
    case pilots::verdict::better:
      if (!doubted_ || proof.pilot_clearly_better(current_.compared_fall(), swept)) return move::take;
      break;
    case pilots::verdict::slower:
      if (slower_fall_) break;
      slower_fall_ = proof.pilot_fall(swept);
      current_.put_off();
      return move::leave;
    case pilots::verdict::worse:
      if (!doubted_ && !slower_fall_ && current_.rises() && !current_.further()) return move::lower;
      break;
  }
  end();
  return move::leave;
}

bool pilot_plan::rises(double fall, range_curve const& swept) const noexcept {
  bool const affords = undone_ + static_cast<double>(current_.length()) <= affordable_;
  bool const stalls = fall - current_.compared_fall() < next_to_nothing * unit(swept);
  return current_.rises() && (affords || stalls);
}

double pilot_plan::unit(range_curve const& swept) const noexcept {
  return std::max(current_.compared_fall(), swept.fall());
}

}  // namespace autotunenet
