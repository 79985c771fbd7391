export module autotunenet:earlier_run;

import autotunenet.standard;
import :search_space;
import :trial;

export namespace autotunenet {

/// One observation of an earlier run, as its trainer saw it.
struct earlier_step {
  std::vector<double> applied;  ///< native values that ran, in the order of that run's space
  double metric = 0.0;
  outcome result = outcome::measured;
  double noise = 0.0;  ///< standard error of `metric`; 0: unknown
  double steps = 1.0;
  coverage covers = coverage::unknown;
  reason why = reason::hold;   ///< of the suggestion that it answered
  event events = event::none;  ///< the same
  double validation = std::numeric_limits<double>::quiet_NaN();
};

/// What a new run may begin from. Its space may be the same, a part of it or more than it: parameters meet by name.
struct earlier_run {
  search_space space;
  std::vector<earlier_step> steps{};
  std::size_t horizon = 0;  ///< observations that it was planned for; 0: as many as there are
};

/// What a tuner would have been told of a stretch of an earlier run, had it been asked in its own search space.
struct earlier_stretch {
  std::vector<double> applied;  ///< native values; a learning rate is the peak that annealing started from
  double metric = 0.0;          ///< to be minimised
  outcome result = outcome::measured;
  double noise = 0.0;
  double steps = 1.0;
  bool relocated = false;
  coverage covers = coverage::unknown;
  double validation = std::numeric_limits<double>::quiet_NaN();
};

/// The steps of an earlier run in another space: values by name, in native units, not clamped. Parameters that the
/// earlier run did not have, and categories that are gone, are as in `start`. Reversible trials are left out; the steps
/// that they took count for the step after them. A step whose change was taken back counts as failed.
///
/// Throws `invalid_option` where a parameter was of another kind, where none is shared, and for a step of another size.
std::vector<earlier_stretch> translate(earlier_run const& from, configuration const& start);

}  // namespace autotunenet
