export module autotunenet:bayesian;

import autotunenet.standard;
import :earlier_run;
import :generator;
import :search_space;

export namespace autotunenet {

/// What a metric says of the configuration that ran.
enum class learned : std::uint8_t {
  improvement,  ///< by how much it moved: training goes on while it is tuned
  level,        ///< by what it is: each observation stands for itself, as in a search over a function
};

struct bayesian_options {
  std::uint64_t seed = 0;
  /// Where to begin, of the same space; empty: the center of the space.
  configuration start{};
  /// Observations kept; older ones are forgotten. 8 to 1024.
  std::size_t window = 128;
  /// The age, in observations, at which the correlation with the present has fallen to one half. Unset: 64; with
  /// `learned::level` whatever explains the observations best, a long one to begin with. Above 0; infinity: nothing
  /// drifts.
  std::optional<double> half_life{};
  /// How sure the surrogate must be, in standard deviations, that another configuration is better before it moves
  /// there. Finite, at least 0; 0 follows the mean.
  double caution = 0.75;
  /// `level` searches the whole reach by noisy expected improvement, with no incumbent to stay at: `caution`, a told
  /// noise and how a move was made count for nothing. A drift that is known for sure is followed sooner where
  /// `half_life` says so.
  learned from = learned::improvement;
  /// What an earlier run was told, in this search space: the surrogate begins with it, discounted. At most half of the
  /// window, spread evenly over that run, as if its end lay one half-life back. For `learned::improvement` alone.
  std::vector<earlier_stretch> earlier{};
};

/// The default tuner: Bayesian optimization by a time-varying Gaussian process of what each configuration was worth.
///
/// What is learned is the improvement of the metric per step, in units of recent improvements, of the configuration
/// that was *applied*: not the level of a metric that improves anyway. Scaling or shifting the metric changes nothing.
/// What a move did at once is told apart from what staying is worth. A failed stretch counts as clearly worse than
/// recent ones, and the next usable metric begins anew, as a baseline: whoever puts training state back should report
/// the stretch before as failed. A skipped one counts for nothing.
///
/// Without evidence the tuner stays with its incumbent: the start, and after a failure what was applied when training
/// went well again. It looks around it by turns, inside the reach and a trust region (Eriksson et al. 2019, TuRBO) and
/// with some parameters at a time, by expected improvement over the incumbent, and moves it only where it is better by
/// `caution` standard deviations of the joint posterior. Where trials outside have moved a parameter
/// (`observation::relocated`), looks go half a step of the reach at most, else two. Nothing is allocated per step, and
/// no step costs more late in a run.
///
/// Throws `invalid_option`.
suggestions bayesian(search_space space, bayesian_options options = {}, std::pmr::memory_resource* memory = nullptr);

}  // namespace autotunenet
