export module autotunenet:bracket;

import autotunenet.standard;
import :generator;

export namespace autotunenet {

struct bracket_options {
  std::string parameter = "lr";  ///< a real parameter on a log scale; the search stays inside its bounds
  /// Observations that the run will have; 0: not known, then nothing limits the trials.
  std::size_t horizon = 0;
  /// Each value runs for this part of the horizon, and for one observation at least.
  double rung = 0.025;
  /// From one value to the next higher one.
  double ratio = 10.0;
  /// The part of the horizon that may be lost to values that turn out worse: to those above what works, and to those
  /// below a start that shows no sign of working. A run that cannot afford one of the first kind is not searched.
  double budget = 0.15;
  double rescue_budget = 0.25;
  /// Search also where observations do not say that they are `observation::coarse`.
  bool always = false;
};

/// A stage that finds where a parameter works from few metrics, those of epochs or validations, where a `range_test` is
/// out of reach: it goes upwards by large steps while the metric improves, and takes back the step that did not. What
/// improved is kept, so a start that is too low costs nothing. Where already the first step up is none, it goes
/// downwards, each value from the very beginning, as long as that ends better: a start that is too high may have broken
/// what no lower value mends (the bracketing of a minimum, Press et al. 2007, "Numerical recipes", section 10.1).
///
/// The inner tuner begins when the search has ended, at what was found; it is told so by `observation::applied` and
/// `relocated`, and by `steps` how much of the run is gone. Suggestions of the search carry `reason::range_test`.
/// Without a trainer that can restore its state, and where the metric is of single steps, all passes unchanged; so it
/// does for a space without the parameter. Throws `invalid_option`.
class bracket {
 public:
  explicit bracket(bracket_options options = {}, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  bracket_options options_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
