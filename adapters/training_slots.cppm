module;
#include "torch_fwd.hpp"

export module autotunenet.torch:training_slots;

import autotunenet.standard;
import autotunenet;
import :training_snapshot;

export namespace autotunenet {

struct slot_options {
  bool random_engine = true;  ///< the default CPU random engine is saved, and put back after trials
  /// The fraction of training time that candidate marks may cost. Marks of a trial, its origin and the best validation
  /// are few and needed: they count neither as cost nor as training. At least 0; infinity: no limit.
  double budget = 0.01;
  std::filesystem::path folder{};  ///< as `training_snapshot` takes it; empty: in memory
  /// States kept for a rollback, 2 to 64: the candidate and the good ones before it. Those of a trial while it goes on,
  /// and of the best validation, come on top.
  std::size_t snapshots = 2;
  /// Further optimizers, whose parameters, state and options are saved and put back with those of the first. They must
  /// outlive the slots.
  std::vector<torch::optim::Optimizer*> also{};
};

/// What `training_slots::carry_out` did.
struct slots_report {
  /// false: a return was asked for that nothing was saved for, or a mark was left out
  bool complete = true;
  training_state returned = training_state::keep;  ///< the return that was carried out last, `keep` for none
  std::uint64_t marked_at = 0;                     ///< where something was put back: the step it was marked at
};

/// Carries out `suggestion::state`: training snapshots of the best validation, the origin, the trial, the candidate and
/// the good states.
///
/// A return puts everything back, but one to the good state lets the random engine go on: it follows a failure, and
/// training that drew the same batches again would meet what it failed at. It goes to the newest one, to the candidate
/// where nothing was promoted yet. A return that follows without a promotion in between says that trouble was already
/// on its way there: it goes to the good state before, where `slot_options::snapshots` keeps one. A candidate mark is
/// left out while such marks have cost more than their budget. The candidate is void then: a promotion that follows
/// keeps the good state there is, which is older but was good, and never brings up a candidate older than the one the
/// guard means. The first candidate is always marked, and so is every trial. A mark that the folder has no room for is
/// left out, whichever.
///
/// Refers to the model and the optimizers: all must outlive it.
class training_slots {
 public:
  /// Throws `invalid_option`: an optimizer that cannot be copied or has no parameter of the model, a budget that is
  /// negative or NaN, fewer than 2 or more than 64 snapshots, a further optimizer that is null or given twice, a folder
  /// in which no file can be made.
  training_slots(torch::nn::Module& model, torch::optim::Optimizer& optimizer, slot_options options = {});

  /// In the order of declaration of `training_state`. @param step the training steps that led to the present state,
  /// kept with each mark
  slots_report carry_out(training_state what, std::uint64_t step = 0);

  /// Marks anew all that is marked, where the weights have become what one step of the optimizer does not make of those
  /// that were marked (see `training_snapshot::replaced`); gives whether it did. For the first step only.
  bool renew_if_replaced(std::uint64_t step);
  /// For weights that are not finite after all that was asked for: puts back the latest kept state that is, whichever
  /// it is, and enters it in `report`. Without one nothing changes.
  void return_to_finite(slots_report& report);

  /// For a run that ends in a trial: puts back what the trial began from, or the origin where it began there.
  slots_report leave_trial();

  /// For checkpoints. What model and optimizer hold now is not part of it. Reading throws `checkpoint_error`, also
  /// where another number of snapshots was kept, and leaves the slots as they were.
  void fields(archive& a);

  std::uint64_t marks() const noexcept { return marks_; }
  std::uint64_t marks_left_out() const noexcept { return left_out_; }
  /// Seconds that marks have cost, all together.
  double seconds() const noexcept { return on_candidates_ + on_others_; }
  /// Bytes that the snapshots hold.
  std::size_t bytes() const;

 private:
  struct slot {
    training_snapshot saved;
    bool valid = false;
    std::uint64_t step = 0;
  };

  void put_back(slot const& from, training_state what, slots_report& report, bool and_random_engine = true);
  void mark(slot& to, double& cost, std::uint64_t step, slots_report& report);
  static void drop(slot& one);
  training_snapshot empty_snapshot() const { return training_snapshot(random_engine_, folder_); }
  bool affordable() const;
  void return_to_good(slots_report& report);

  torch::nn::Module* model_;
  torch::optim::Optimizer* optimizer_;
  std::vector<torch::optim::Optimizer*> also_;
  bool random_engine_;
  std::filesystem::path folder_;
  double budget_;
  slot best_, origin_, trial_, candidate_;
  std::vector<slot> good_;      // the newest first
  bool returned_ = false;       // to the newest good one, and nothing was promoted since
  double begin_;                // seconds of a clock that only goes forward
  double on_candidates_ = 0.0;  // seconds
  double on_others_ = 0.0;
  bool has_marked_candidate_ = false;
  std::uint64_t marks_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace autotunenet
