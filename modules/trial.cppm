export module autotunenet:trial;

import autotunenet.standard;
import :search_space;

export namespace autotunenet {

/// Why a suggestion is what it is.
enum class reason : std::uint8_t {
  start,       ///< the configuration the run began with
  warm_up,     ///< held while the guard lets training settle
  range_test,  ///< a reversible trial: training state is put back afterwards
  explore,     ///< to learn
  exploit,     ///< believed to be best
  anneal,      ///< moved by a schedule
  hold,        ///< nothing is due, or a trial led nowhere and training goes on where it was
  rollback,    ///< training suffered: the last good configuration again
  cooldown,    ///< held after a rollback
  back_off,    ///< training suffered and nothing good is known, or the good no longer helps: towards safety
};

std::string_view to_string(reason) noexcept;

/// What happened on the way to a suggestion; several may hold at once.
enum class event : std::uint32_t {
  none = 0,
  clamped = 1 << 0,      ///< the guard shortened the tuner's step
  rolled_back = 1 << 1,  ///< the guard took a change back
  backed_off = 1 << 2,   ///< the guard moved towards safety
  cooldown_began = 1 << 3,
  cooldown_ended = 1 << 4,
  warm_up_ended = 1 << 5,
  range_test_began = 1 << 6,
  range_test_ended = 1 << 7,
  regressed = 1 << 8,     ///< the metric was worse than the guard allows (patience may still last)
  failed = 1 << 9,        ///< the last stretch failed: NaN, infinity, or an exception in user code
  became_good = 1 << 10,  ///< a configuration survived patience and is the new rollback target
  rebased = 1 << 11,      ///< rollbacks did not help: the metric itself has moved, and is judged from its new level
  /// Since the start the metric has only become worse, whatever was tried: it may be one that should go the other way.
  only_worse = 1 << 12,
  /// The validation metric turned up while training went on falling: the rate is lowered, or training goes back.
  overfitting = 1 << 13,
  horizon_passed = 1 << 14,  ///< the run goes on after its horizon, with the least that annealing comes to
  not_located = 1 << 15,     ///< the learning rate is what it was given as, for the reason that comes with this
  /// For many observations in a row others than the suggested values ran: something else sets them too.
  overridden = 1 << 16,
  // Why the learning rate was not located.
  no_learning_rate = 1 << 17,  ///< no parameter has its name
  not_restorable = 1 << 18,    ///< the trainer cannot put its state back, or a copy for a trial was not made
  run_too_short = 1 << 19,     ///< to look for it
  no_difference = 1 << 20,     ///< no value within the bounds made the metric fall or diverge
  /// The weights were loaded after the tuner was made: the states that training goes back to were saved anew.
  marked_anew = 1 << 21,
  /// A metric was NaN or infinite while all weights were finite: it was left out. Told of the first in a run.
  not_measured = 1 << 22,
  /// The objective was not named, and another hook is called with a metric far more often than the one that was first.
  rare_objective = 1 << 23,
  /// The horizon is of more epochs than runs mostly have: it may count steps where the metric is of epochs.
  far_horizon = 1 << 24,
  /// Training and validation have turned up together and stay there: the state at the best validation is tried again.
  best_tried = 1 << 25,
  best_kept = 1 << 26,  ///< it was better, and training goes on from there
};

constexpr event operator|(event a, event b) noexcept {
  return static_cast<event>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr event& operator|=(event& a, event b) noexcept { return a = a | b; }
constexpr event without(event all, event some) noexcept {
  return static_cast<event>(static_cast<std::uint32_t>(all) & ~static_cast<std::uint32_t>(some));
}
/// Whether `all` holds any of `some`.
constexpr bool has(event all, event some) noexcept {
  return (static_cast<std::uint32_t>(all) & static_cast<std::uint32_t>(some)) != 0;
}

/// What the trainer should do with its own state (weights, buffers, optimizer, random engines) before it applies a
/// suggestion. Several may be asked at once; they are carried out in the order of declaration. A trainer that cannot,
/// ignores them and says so by `observation::restorable`.
///
/// Random engines that training draws its batches from come back with every state but the good one: a trial leaves no
/// trace, but after `return_to_good` training should not meet the very batches again that it failed at.
enum class training_state : std::uint16_t {
  keep = 0,
  mark_best = 1 << 0,         ///< save the state at the best validation so far
  return_to_best = 1 << 1,    ///< put back what mark_best saved last
  return_to_trial = 1 << 2,   ///< put back what mark_trial saved
  return_to_good = 1 << 3,    ///< put back what was promoted last
  promote = 1 << 4,           ///< the candidate becomes the good one
  mark_candidate = 1 << 5,    ///< save as the candidate for a later promotion
  mark_trial = 1 << 6,        ///< save before a reversible trial
  drop_trial = 1 << 7,        ///< the trial's copy is not needed any more
  mark_origin = 1 << 8,       ///< save what several trials begin from
  return_to_origin = 1 << 9,  ///< put back what mark_origin saved, after a trial was marked
  drop_origin = 1 << 10,      ///< the origin's copy is not needed any more
};

constexpr training_state operator|(training_state a, training_state b) noexcept {
  return static_cast<training_state>(static_cast<std::uint16_t>(a) | static_cast<std::uint16_t>(b));
}
constexpr training_state& operator|=(training_state& a, training_state b) noexcept { return a = a | b; }
constexpr training_state without(training_state all, training_state some) noexcept {
  return static_cast<training_state>(static_cast<std::uint16_t>(all) & ~static_cast<std::uint16_t>(some));
}
constexpr bool has(training_state all, training_state some) noexcept {
  return (static_cast<std::uint16_t>(all) & static_cast<std::uint16_t>(some)) != 0;
}

/// What a tuner yields.
struct suggestion {
  std::uint64_t number = 0;  ///< counts from 1, by one for every suggestion of a pipeline
  configuration values;
  reason why = reason::start;
  event events = event::none;
  training_state state = training_state::keep;
};

/// What has to be saved of the present state where a trial begins in place of this suggestion.
constexpr training_state saved_before_trial(suggestion const& instead_of) noexcept {
  return has(instead_of.state, training_state::mark_best) ? training_state::mark_best : training_state::keep;
}

/// How a stretch of training went.
enum class outcome : std::uint8_t {
  measured,  ///< `metric` says
  failed,    ///< NaN, infinity or an exception: nothing to measure, and a reason to act
  skipped,   ///< nothing was measured this time, and nothing is wrong
};

/// How much training a metric speaks of. Where nothing else says it, what is tuned how often, and how the learning rate
/// is found first, follows from this.
enum class coverage : std::uint8_t {
  unknown,  ///< taken for a step
  step,     ///< one training step: many such come in a run, and each is noisy
  epoch,    ///< an epoch, or a validation: few such come in a run, and each can be relied on alone
};

/// The part of the unit cube that the next suggestion can reach, set by a guard for the tuner inside it.
/// Empty spans: all of it.
struct reach {
  std::span<double const> lower;
  std::span<double const> upper;
};

/// Whether so many steps can be counted: a finite number of at least 0.
constexpr bool countable(double steps) noexcept { return steps >= 0.0 && steps - steps == 0.0; }
/// How many of the steps that were told count: 1 where they cannot be counted.
constexpr double counted_steps(double told) noexcept { return countable(told) ? told : 1.0; }

/// What a tuner is resumed with. Everything but the metric has a default that means "not known". What a trainer says
/// comes first; the rest is between stages.
///
/// Tuners and stages of this library *minimise*: see the stage `maximize` for a metric that should grow.
/// An observation is read during `tell` only; the spans need not live longer.
struct observation {
  double metric = std::numeric_limits<double>::quiet_NaN();
  outcome result = outcome::measured;
  std::uint64_t number = 0;  ///< the suggestion this answers; 0: the pending one
  /// Native values that really ran, in the space's order, a category by its index; empty: exactly those suggested, as
  /// where a category is a number that is none of its indices, since such a report says something else. NaN: not known,
  /// which the guard takes as suggested.
  std::span<double const> applied{};
  double noise = 0.0;  ///< standard error of `metric`; 0: unknown
  /// How much of the run the stretch took, in the unit of every horizon: one observation, unless several were merged.
  /// 0: no time passed, as where trouble shows between two observations. What is no finite number of at least 0 counts
  /// as 1, as it would had it been left out: a run is not lost to it.
  double steps = 1.0;
  bool restorable = false;  ///< the trainer carries out `suggestion::state`
  /// A metric of data that training does not see, where one was measured since the last observation; NaN: none. Smaller
  /// is better, as for `metric`, whose scale and noise it need not share.
  double validation = std::numeric_limits<double>::quiet_NaN();
  coverage covers = coverage::unknown;
  /// What the trainer itself noticed, which the guard tells with the next suggestion. `overridden`: something ran that
  /// `applied` does not show, such as another ratio of parameter groups; the guard counts it as if `applied` showed it.
  event noticed = event::none;

  /// Set by stages, and left alone by a trainer: what ran was chosen outside the tuner, and is where it should go on
  /// from, as at the end of a reversible trial.
  bool relocated = false;
  /// Set by stages, and left alone by a trainer: where the next suggestion can lie.
  reach within{};

  /// Whether the metric can be used: measured, and finite. (`inline` is not implied inside a module.)
  inline bool usable() const noexcept { return result == outcome::measured && metric - metric == 0.0; }
  /// Whether the stretch failed: said so, or measured a metric that is NaN or infinite.
  inline bool bad() const noexcept { return result == outcome::failed || (result == outcome::measured && !usable()); }
};

}  // namespace autotunenet
