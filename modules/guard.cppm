export module autotunenet:guard;

import autotunenet.standard;
import :generator;

export namespace autotunenet {

/// What a rollback puts back.
enum class rollback_scope : std::uint8_t {
  full,             ///< values, and the training state of that time where the trainer can restore it
  hyperparameters,  ///< values alone: training goes on with the weights that it has
};

/// All counts are observations that reach the guard; skipped ones count for nothing. Those that are not set depend on
/// what the first observation covers: a training step, or where that is not known, the first number; an epoch, the
/// second, for an epoch tells more than a step does and takes longer.
struct guard_options {
  /// Usable observations during which the start configuration is held and nothing is judged; failures act all the same.
  std::size_t warm_up = 0;
  /// A gate that opens once: warm-up also lasts until the smoothed metric is at least this good (at most this value).
  /// Infinity: no gate; not NaN.
  double warm_up_metric = std::numeric_limits<double>::infinity();

  /// The largest step of one suggestion, relative: on a log scale new / old lies in [1 / (1 + max_delta), 1 +
  /// max_delta]; on a linear scale |new - old| <= max_delta * max(|old|, (max - min) / 10), so that a value at 0 can
  /// move. Whole numbers can always move by one; categories may change freely. Finite, above 0.
  double max_delta = 0.5;

  /// How much of what was gained may be lost before it counts as a regression: the smoothed metric may be worse than
  /// its recent best by this fraction of the gain since the start (plus `noise_margin` standard errors).
  /// Measured in the metric's own spread, so scaling or shifting the metric changes nothing. Infinity: nothing ever is
  /// a regression; failures act all the same. At least 0.
  double max_regression = 0.2;
  /// Standard errors of the smoothed metric by which it may be worse by chance, of single metrics or of averages that
  /// follow each other, whichever are larger, but at most half as large again as when it was best: training that comes
  /// apart gets rough as well. The best of many averages is too good by luck alone; that is allowed for
  /// on top. Finite, at least 0; 0 leaves noise out of account.
  double noise_margin = 4.0;
  /// Metrics averaged for the regression test, 1 to 4096. Not set: 5, or 1. From 3 on, each metric first gives way to
  /// the median of itself and the two before it, so that a single outlier is no regression (and no record either).
  std::optional<std::size_t> window{};
  /// How many averages back the recent best may lie, 1 to 1048576.
  std::size_t recall = 200;
  /// Consecutive regressions before a rollback, and healthy observations before a configuration is good; at least 1.
  /// Not set: 3, or 2.
  std::optional<std::size_t> patience{};
  /// Observations after a rollback during which regressions do not roll back again. Failures still act. Not set: 10,
  /// or 2.
  std::optional<std::size_t> cooldown{};

  /// What each back-off multiplies the parameters of `safety` by, in (0, 1). Where three remedies in a row have not
  /// helped, the next are worth two, four, and then eight back-offs at once.
  double back_off = 0.5;
  /// Real parameters that are safer when smaller, each by its name or its name in a group ("lr" means "encoder.lr"
  /// too). On a log scale the value shrinks by `back_off`, on a linear scale its distance from the lower bound. Where
  /// the space has none of them, all real parameters move towards the middle of the space by that factor. No name may
  /// be empty, and any but "lr" must be of the space.
  std::vector<std::string> safety = {"lr"};

  rollback_scope rollback = rollback_scope::full;
  /// Observations from one copy of the training state to the next, which a rollback may undo, for trainers that can
  /// restore. Early in a run a tenth of all so far, but a quarter of this at least; after a failure half of those
  /// since. 1 or more. Not set: 100, or 1.
  std::optional<std::size_t> snapshot_every{};
};

/// The stage that keeps a run whole. In order: bounds always hold; warm-up; bounded steps; a regression test with
/// patience; rollback to the last configuration that survived patience, exactly; cooldown; back-off.
///
/// - What ran last (`observation::applied`) is what every bound is reckoned from. A suggestion that is a `reason::hold`
///   keeps what ran, inside the bounds. What can be reached is passed inwards as `observation::within`.
/// - A failed stretch acts at once; a regression once it lasted for `patience` observations. The first remedy is a
///   rollback. If training fails again before a new configuration became good, or regresses again before it has come as
///   far as it had, or if no configuration ever became good, the guard backs off, each time further, and training state
///   goes back all the same. The last straw is told to the inner tuner as `outcome::failed`.
/// - Where nothing could be measured in three failed stretches or more, in a row and although training state went back,
///   the values were not the cause: with the first metric after that they are the good ones again, once, and
///   `observation::relocated` says so inwards.
/// - A configuration becomes good when it ran with a healthy metric and `patience` healthy observations followed.
///   Where the trainer can restore its state, the state is marked when the configuration ran, and the two are kept and
///   returned to together. Its state before the first step serves until then. Where a configuration became good whose
///   state the trainer did not mark, the state marked last is returned to by the second failure in a row. None takes
///   the place of one whose state is kept within a quarter of `snapshot_every` after a single metric that was clearly
///   worse than the first level: weights that few batches meet may have blown up.
/// - If the metric is still worse once the cooldown is over, though the training state was restored or two remedies
///   in a row were tried, the metric itself has moved: it is judged from its present level (`event::rebased`).
/// - Suggestions of a reversible trial (`reason::range_test`, and the one that ends it) pass within bounds, unjudged;
///   after it, warm-up and the regression test begin afresh, and what was gained before counts on. Where it ends at the
///   origin, no configuration is good yet: what was belongs to training that was given up. The same holds where
///   training goes back to its best validation
///   (`training_state::return_to_best`), in place of a remedy that was due; what is suggested then is bounded as ever.
/// - Each observation is passed on, in warm-up and cooldown too, with what was applied.
///
/// The step allocates nothing after the first, and keeps no history beyond `window` and `recall`. Throws
/// `invalid_option`: for options that cannot be, and in ask or tell for a configuration or applied values that do not
/// fit the space.
class guard {
 public:
  explicit guard(guard_options options = {}, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  guard_options options_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
