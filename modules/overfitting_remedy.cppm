module;
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "overfitting.hpp"

module autotunenet:overfitting_remedy;

import :archive;
import :trial;

namespace autotunenet {

/// What is done where validation turns up: a rate is multiplied by ever less, and training goes back to the state at
/// the best validation; where training turned up as well and both stay there, after a trial of that state.
class overfitting_remedy {
 public:
  /// @param factor what the multiple falls by each time; 1: nothing is done
  /// @param may_return to the state at the best validation
  /// @param horizon 0: not known, then there are no trials
  overfitting_remedy(double factor, bool may_return, std::size_t horizon) noexcept
      : factor_(factor), may_return_(may_return), horizon_(horizon) {}

  /// Of the rate.
  double multiple() const noexcept { return multiple_; }
  /// Whether training is to go back.
  bool returns() const noexcept { return has(wishes_, training_state::return_to_best); }
  /// For the next suggestion.
  event take_news() noexcept { return std::exchange(news_, event::none); }
  training_state take_wishes() noexcept { return std::exchange(wishes_, training_state::keep); }
  /// Of the best state: suggestions are of `reason::range_test`, and their rate is the least there is.
  bool in_trial() const noexcept { return trial_ != trial::none; }

  /// Outside of trials. @param elapsed with this observation
  void observe(observation const& seen, double elapsed) noexcept {
    if (std::isfinite(seen.validation)) validate(seen, elapsed);
    if (seen.usable()) detector_.train(seen.metric);
  }

  /// In a trial. True where it has just been kept: training goes on from another state than before.
  bool follow_trial(observation const& seen, double elapsed) noexcept {
    if (std::isfinite(seen.validation)) detector_.validate(seen.validation);
    if (trial_ == trial::marking && !seen.restorable) {
      go_without(elapsed);
      return false;
    }
    double const tried = elapsed - tried_since_, whole = static_cast<double>(horizon_);
    if (seen.bad() || tried >= 2.0 * judged_part * whole) {
      leave_trial(elapsed);
      return false;
    }
    if (trial_ == trial::marking) {
      trial_ = trial::running;
      detector_.forget_block();
      wishes_ |= training_state::return_to_best;
      return false;
    }
    if (!detector_.validated() || tried < trial_part * whole) return false;
    bool const kept = detector_.regained();
    kept ? keep_trial(elapsed) : leave_trial(elapsed);
    return kept;
  }

  void fields(archive& a) {
    a(multiple_)(news_)(wishes_)(judged_)(detector_)(best_saved_)(left_best_saved_);
    a(tried_since_)(spoilt_)(copy_refused_);
    a.between(trial_, trial::none, trial::running);
    a(latest_horizon_);
    latest_horizon_ = std::max(latest_horizon_, horizon_);
  }

 private:
  // The part of a run, or of what has passed of it, from which validations are averaged: an epoch of twenty-five.
  static constexpr double judged_part = 0.04;
  // The same of a trial, in which hardly anything changes.
  static constexpr double trial_part = 0.01;
  // By these parts of a run stages outside have made their trials, whose saved state one here would take the place of;
  // the second one where metrics are of epochs.
  static constexpr double settled_part = 0.3, settled_part_by_epochs = 0.5;

  enum class trial : std::uint8_t {
    none,
    marking,  // the step before, so that it can be undone
    running
  };

  void validate(observation const& seen, double elapsed) noexcept {
    detector_.validate(seen.validation);
    double const whole = horizon_ > 0 ? static_cast<double>(horizon_) : elapsed;
    if (elapsed - judged_ < judged_part * whole) return;
    judged_ = elapsed;
    switch (detector_.judge()) {
      case generalization::holds:
        return;
      case generalization::shifted:
        multiple_ = 1.0;
        left_best_saved_ = best_saved_ && detector_.undecided() && can_try(seen, elapsed);
        best_saved_ = false;
        return left_best_saved_ ? void() : save_best(seen.restorable);
      case generalization::stays_shifted:
        return left_best_saved_ && can_try(seen, elapsed) ? try_best(elapsed) : save_best(seen.restorable);
      case generalization::improved:
        spoilt_ = false;
        return save_best(seen.restorable);
      case generalization::lost:
        lower();
        return spoilt_ ? go_back() : void();
      case generalization::still_lost:
        if (spoilt_ || !best_saved_) lower();
        return best_saved_ ? go_back() : void();
    }
  }

  void save_best(bool restorable) noexcept {
    best_saved_ = factor_ < 1.0 && may_return_ && restorable;
    if (best_saved_) wishes_ |= training_state::mark_best;
  }

  void lower() noexcept {
    multiple_ *= factor_;
    if (factor_ < 1.0) news_ |= event::overfitting;
  }

  // The rate is lower by now; what it has to train is still what the higher one has spoilt.
  void go_back() noexcept {
    wishes_ |= training_state::return_to_best;
    news_ |= event::overfitting;
  }

  // Two judgements are left: of the trial, and of what follows.
  bool can_try(observation const& seen, double elapsed) const noexcept {
    auto const whole = static_cast<double>(horizon_);
    double const settled = seen.covers == coverage::epoch ? settled_part_by_epochs : settled_part;
    return seen.restorable && !copy_refused_ && elapsed >= settled * static_cast<double>(latest_horizon_) &&
           elapsed + 2.0 * judged_part * whole < whole;
  }

  void try_best(double elapsed) noexcept {
    trial_ = trial::marking;
    tried_since_ = elapsed;
    wishes_ |= training_state::mark_trial;
    news_ |= event::best_tried;
  }

  void end_trial(double elapsed) noexcept {
    trial_ = trial::none;
    judged_ = elapsed;
    detector_.forget_block();
    wishes_ |= training_state::drop_trial;
  }

  void leave_trial(double elapsed) noexcept {
    end_trial(elapsed);
    wishes_ |= training_state::return_to_trial;
  }

  // The copy that would undo the trial was not made: training goes on where it is.
  void go_without(double elapsed) noexcept {
    end_trial(elapsed);
    copy_refused_ = true;
    news_ |= event::not_restorable;
  }

  // What has spoilt training goes on, so training begins from there again and again, at ever lower rates.
  void keep_trial(double elapsed) noexcept {
    end_trial(elapsed);
    detector_.return_to_left_best();
    best_saved_ = spoilt_ = true;
    multiple_ *= factor_;
    news_ |= event::best_kept;
  }

  double factor_;
  bool may_return_;
  std::size_t horizon_;
  double multiple_ = 1.0;
  event news_ = event::none;
  training_state wishes_ = training_state::keep;
  std::size_t latest_horizon_ = horizon_;  // of all that the run had: trials outside go by the one they began under
  double judged_ = 0.0;                    // what had elapsed when validation was judged last
  overfitting_detector detector_{};
  bool best_saved_ = false;       // the state at the best validation
  bool left_best_saved_ = false;  // the same before validation shifted
  trial trial_ = trial::none;
  double tried_since_ = 0.0;   // what had elapsed then
  bool copy_refused_ = false;  // of what a trial began from: there are no more
  bool spoilt_ = false;        // training leads away from the best validation, whatever its own metric does
};

}  // namespace autotunenet
