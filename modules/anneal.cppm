export module autotunenet:anneal;

import autotunenet.standard;
import :generator;

export namespace autotunenet {

enum class annealing : std::uint8_t {
  none,  ///< leaves the parameter alone
  /// Half a cosine for the first half of the horizon, then a straight line from 0.5 to `floor`, since networks end
  /// better where the rate falls linearly (Defazio et al. 2023, "When, why and how much?", section 3); or a parabola
  /// where training stands still at half of the horizon, as where noise bounds it.
  adaptive,
  cosine,  ///< half a cosine from 1 to `floor` over the horizon (Loshchilov and Hutter 2017, equation 5)
  linear,  ///< 1 for the first `hold` of the horizon, then a straight line to `floor`
};

struct anneal_options {
  std::string parameter = "lr";  ///< a real parameter, by its whole name
  /// Observations that the run will have; 0: not known, then anneal on plateaus.
  std::size_t horizon = 0;
  annealing shape = annealing::adaptive;
  /// Fraction of the horizon during which the multiple rises in a straight line to the shape (Goyal et al. 2017,
  /// section 2.2); 0 to 1.
  double rise = 0.0;
  double hold = 0.0;   ///< fraction of the horizon before a linear shape begins to fall; 0 to 1
  double floor = 0.0;  ///< the last multiple; 0 to 1
  /// Where the horizon is not known: the multiple falls by this factor at each plateau; above 0 and below 1.
  double plateau_factor = 0.5;
  /// The shortest stretch, in observations, over which a plateau can show. It grows with the length of the run. At
  /// least 2. Not set: 100, or 5 where observations cover epochs.
  std::optional<std::size_t> plateau_window{};
  /// The multiple falls by this factor where validation shows overfitting; above 0, at most 1; at 1 it is not
  /// looked at.
  double overfitting_factor = 0.25;
  bool return_to_best = true;  ///< training goes back to where validation was best where a lower rate does not help
};

/// A stage that multiplies one parameter by an annealing shape, so that the tuner inside tunes the peak. Left to itself
/// a tuner that sees a few steps ahead would anneal far too early: the short-horizon bias (Wu et al. 2018,
/// "Understanding short-horizon bias in stochastic meta-optimization").
///
/// The inner tuner thinks in peaks: what was applied, and what can be reached, is divided by the shape on its way in.
/// Where the horizon is known and a reversible trial has set the peak (`observation::relocated`), that peak has no
/// rise, and what is suggested stays within a factor of 2 of it, since the bias pulls downwards for the rest of the
/// run. A remedy from outside that goes lower becomes the new middle. After the horizon the last multiple holds, and
/// `event::horizon_passed` says so once.
///
/// A metric of training alone cannot tell learning from learning by heart. Where `observation::validation` turns up,
/// clearly of its noise, while the metric of training goes on falling, the whole shape is lowered. Where that does not
/// bring it down again, training goes back to the state at the best validation, and on from there at the lower rate; or
/// the shape is lowered once more where there is no such state. It ends where both turn up, as where the data have
/// changed. Each time is an `event::overfitting`. Validations are averaged over 4 % of the horizon, or of what has
/// passed where that is not known.
///
/// Where both turned up and training does not get over it, having lost half of what validation had gained, the state at
/// the best validation may still be better, as where labels have become wrong. From 30 % of a known horizon on (50 %
/// where metrics are of epochs) it is tried, at the lower bound: for 1 % of the run and at least one validation, under
/// `reason::range_test`, and undone where validation is no better (`event::best_tried`). Where it is, training goes on
/// from there, and back to there each time that validation turns up again, at ever lower rates (`event::best_kept`).
///
/// A space without "lr" passes unchanged. Throws `invalid_option`, in ask where the space has no parameter of another
/// name that was given.
class anneal {
 public:
  explicit anneal(anneal_options options = {}, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  anneal_options options_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
