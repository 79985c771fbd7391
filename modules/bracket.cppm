export module autotunenet:bracket;

import autotunenet.standard;
import :generator;

export namespace autotunenet {

struct bracket_options {
  /// Real parameters with values above 0, each by its name or its name in a group ("lr" means "encoder.lr" too), which
  /// move together in the ratios they began with. The search stays inside their bounds.
  std::string parameter = "lr";
  /// Observations that the run will have; 0: not known, then nothing limits the trials.
  std::size_t horizon = 0;
  /// Each value runs for this part of the horizon, and for one observation at least.
  double rung = 0.025;
  /// From one value to the next higher one.
  double ratio = 10.0;
  /// The part of the horizon that may be lost to values that turn out worse: two of them at any rate, a third above a
  /// value that was better than the start, and more within `budget` above what works, within `rescue_budget` below a
  /// start that is too high. Where two would take more than `most_budget` there is one, upwards unless the start fails,
  /// and a second where that was better; where one would, the run is not searched.
  double budget = 0.15;
  double rescue_budget = 0.25;
  double most_budget = 0.2;
  /// Search also where observations do not say that they cover epochs.
  bool always = false;
};

/// A stage that finds where a parameter works from few metrics, those of epochs or validations, where a `range_test` is
/// out of reach. After the start, a lower value is tried from the very beginning, since a start that is too high may
/// have broken what no lower value mends; where that ends better, still lower ones. Else a much higher value is tried
/// from the beginning; where that ends better, training runs on from there with higher ones while they help. Values
/// that end worse are undone. Where three values began alike, the best being in the middle, training goes on at the
/// lowest point of the parabola through them, else at the best (the bracketing of a minimum and inverse parabolic
/// interpolation, Press et al. 2007, "Numerical recipes", sections 10.1 and 10.3). A start that nothing was better than
/// has to improve on its own first metric afterwards, else the search goes on below it; and where the first metric of
/// what was found is worse than the start's, training begins once more, clearly lower.
///
/// How far apart two metrics are counts only against others of the same run: shifting or scaling changes nothing. A
/// start so low that an epoch moves the metric by less than its noise cannot be told from one that is right.
///
/// The inner tuner begins when the search has ended, at what was found; it is told so by `observation::applied` and
/// `relocated`, and by `steps` how much of the run is gone. Suggestions of the search carry `reason::range_test`.
/// Where a copy that a value would be undone by is not made, which the observation that answers for it says by not
/// being `restorable`, the search ends with that observation; where a value did not run, since something else sets it
/// too, it ends with that value, which is undone. Without a trainer that can restore its state, which
/// `event::not_located` tells, and where the metric is of single steps, all passes unchanged; so it does for a space
/// without "lr". Throws `invalid_option`, in ask where another parameter is named and not there.
class bracket {
 public:
  explicit bracket(bracket_options options = {}, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  bracket_options options_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
