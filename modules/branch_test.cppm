export module autotunenet:branch_test;

import autotunenet.standard;
import :generator;

export namespace autotunenet {

struct branch_test_options {
  /// Real parameters with values above 0, each by its name or its name in a group ("lr" means "encoder.lr" too), which
  /// move together.
  std::string parameter = "lr";
  /// Observations that the run will have; 0: not known, then there is no test.
  std::size_t horizon = 0;
  /// When the test takes place, as a fraction of the horizon since training began, or began again after another trial.
  /// 0 to 1, and above `range_test_options::proof`, since there is one saved state for trials.
  double at = 0.08;
  /// The part of the horizon that all branches together may take, 0 to 1. Where that leaves branches of fewer than
  /// `least_steps` observations there is no test.
  double budget = 0.077;
  std::size_t least_steps = 32;
  std::size_t most_steps = 48;
  /// How much worse than the best branch counts as too far, as a fraction of what the metric has gained since the
  /// start.
  double tolerance = 0.03;
  /// What was found is multiplied by this.
  double back_off = 0.8;
};

/// A stage that corrects the peak of a parameter once training has settled, when what diverges at first and what serves
/// best in the long run have parted.
///
/// Training state is saved, and short branches leave from it, each with a multiple of the present value: half a branch
/// at that multiple, then straight down to 0, so that the noise of a large step is gone when the branch is measured.
/// What is left rises sharply where steps are too large for the landscape, and is nearly flat below. The lowest branch
/// would always say "smaller" (the short-horizon bias, Wu et al. 2018); the place where the metric turns up does not.
/// The state is put back after each branch, and the inner tuner is told the value it goes on with.
///
/// Suggestions of a branch carry `reason::range_test`. There are none where the trainer cannot restore its state or the
/// horizon is too short: then all passes unchanged. Where the saving of the state is answered by an observation that is
/// not `restorable`, as where there is no room for a copy, the test ends with that step, which stays. Where something
/// else sets the parameter too, as a schedule of the training loop's own, a branch is undone after some steps, and is
/// the last. A space without "lr" passes unchanged. Throws `invalid_option`, in ask where another parameter is named
/// and not there.
class branch_test {
 public:
  explicit branch_test(branch_test_options options = {}, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  branch_test_options options_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
