export module autotunenet:range_test;

import autotunenet.standard;
import :generator;

export namespace autotunenet {

struct range_test_options {
  /// Real parameters with values above 0, each by its name or its name in a group ("lr" means "encoder.lr" too), which
  /// move together in the ratios they began with. The sweep stays inside their bounds.
  std::string parameter = "lr";
  /// Observations that the run will have; 0: not known, then the sweep has `most_steps`, and what follows is as in a
  /// run of `long_run`.
  std::size_t horizon = 0;
  /// The part of the horizon that the sweep takes; a short run goes up to `most_budget` to get `enough_steps`, and a
  /// very short one up to a quarter to get `least_steps`. Where that is not enough there is no sweep.
  double budget = 0.027;
  double most_budget = 0.1;
  std::size_t least_steps = 28;
  std::size_t enough_steps = 60;
  std::size_t most_steps = 100;
  /// What was found is the last value before the sweep diverged, divided by this, or, where that is lower or nothing
  /// diverged inside the bounds, the value at which the metric had first made seven tenths of its fall. Where no
  /// value made the metric fall clearly, it is the start, moved to between a tenth of the last value before divergence
  /// and that value divided by this, or, where nothing diverged either, at least to the highest value swept, divided
  /// by this as well, on trial. Where too little was measured to know the level at the start, it is kept.
  double back_off = 2.75;
  /// Runs of fewer observations begin higher than that, by the square root of the ratio, since the step that serves a
  /// run best falls with its length (Nemirovski et al. 2009, "Robust stochastic approximation approach to stochastic
  /// programming", section 2.2): at most at the last value before the sweep diverged, divided by `least_back_off`.
  std::size_t long_run = 2500;
  double least_back_off = 1.6;
  /// Where training has made less than 0.7 of the sweep's fall by this part of the horizon, it begins again from the
  /// saved state, at most `restarts` times: with what a long run would begin with if it began clearly higher, else with
  /// a quarter of the value. Where it soon is clearly worse than before it began, and stays so, it begins again at
  /// once, with a tenth, as networks need that have been trained before, or with a quarter where the sweep's fall shows
  /// that this one has not. It is watched for three times as long again: where it loses a fifth of what it had gained,
  /// by two standard errors, it begins again with a quarter, once.
  double proof = 0.07;
  std::size_t restarts = 2;
  /// Runs shorter than `long_run` compare what was found with pilots of other values, each of so many steps as this
  /// part of the horizon, where that is 16 at least. 0: none.
  double pilot = 0.035;
};

/// A stage that finds where a parameter works before the inner tuner begins, whatever the start: training state is
/// saved, the parameter sweeps upwards by equal ratios while the metric is watched until it diverges, and comes no
/// lower at up to ten times that value, and the state is put back (Smith 2017, "Cyclical learning rates for training
/// neural networks", section 3.3). Bounds more than a thousandfold apart are swept twice: in steps of about ten, and
/// from the same state once more, finely, below where that diverged. The inner tuner then begins at what was found, and
/// is told so by `observation::applied`.
///
/// The first suggestion is the inner tuner's own, with a mark to return to; the sweep begins when the first observation
/// says that the trainer can restore its state, and is left out otherwise, which `event::not_located` tells; where
/// metrics cover epochs it is left out as well.
/// Suggestions of the sweep carry `reason::range_test`. Where no value of the sweep made the metric fall or diverge,
/// a high one is tried for as long as a proof takes; if the metric does not fall by a standard error then, the run
/// begins again at the inner tuner's own start; if it does harm, halfway to that by ratios, and there if that is no
/// better. Where next to nothing was measured it goes on there. What was found has to prove itself: see
/// `range_test_options::proof`.
///
/// A pilot of twice the value begins where the run is, and is gone on with, at no cost, if it falls by 0.7 of what the
/// run fell by in half as many steps, nearly: early progress favours low values (Wu et al. 2018, "Understanding
/// short-horizon bias in stochastic meta-optimization"), so one that keeps up while it is higher mostly serves the
/// whole run better. The next is again twice as high, and has to keep twice as much of the pace, as long as the sweep
/// and one that is undone take a tenth of the run at most together, or pilots gain next to nothing, so that there is
/// nothing to lose. One that is slower, and loses nothing, is undone, and tried once more as many steps later if the
/// run has gained no more by then. Where the first is worse, the run itself may be too high: a pilot of 0.35 times the
/// value begins at the saved state, and has to be better. Otherwise the run goes on where it was. A pilot that is gone
/// on with and does harm, or falls behind by `proof`, is undone. One whose copy of the state was not made, as the
/// observation that answers for that says by not being `restorable`, ends with its first step, which stays; and one
/// that does not run, since something else sets the parameter too, is undone. Either is the last.
///
/// A network that no longer trains may still fall a little, to what chance gives. Where the sweep's fall was within
/// 3.5 noises of one metric and by `proof` the run has come no more than 2.5 times as far, or has come less than 12
/// noises and was no better in the last quarter of `proof` than in the one before, a pilot of a tenth of the value runs
/// for as many steps as the run has had, once, and is gone on with if it is clearly better: by three standard errors or
/// 0.7 noises. One that dies slowly shows it after its proof, in means of as many metrics; the saved state is kept for
/// that long.
///
/// A space without "lr" passes unchanged. Throws `invalid_option`, in ask where another parameter is named and not
/// there.
class range_test {
 public:
  explicit range_test(range_test_options options = {}, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  range_test_options options_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
