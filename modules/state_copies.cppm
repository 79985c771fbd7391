export module autotunenet:state_copies;

import autotunenet.standard;
import :trial;

export namespace autotunenet {

/// The copies of its own state that a trainer is asked for, for engines whose state can be copied by assignment: with
/// them its observations may say `restorable`, and learning rates can be tried out and rollbacks undo harm.
///
///     state_copies<network> kept;
///     for (...) {
///       suggestion const& now = tuning.ask();
///       kept.carry_out(now.state, net);  // before the values are applied
///       ...
///       tuning.tell({.metric = loss, .restorable = true, .covers = coverage::step});
///     }
///     kept.finish(tuning.ask(), net);  // behind the loop
///
/// `State` is all that training changes: weights, buffers, what the optimizer remembers, random engines. Five copies
/// are held at most, three once the learning rate was found; a copy is assigned to, so its storage is used again.
/// An engine that draws the batches may be left to go on after `return_to_good`, as `training_state` says why.
/// A checkpoint of such a run holds the state, the pipeline (`save`) and the copies (`each`): without these what the
/// pipeline tries out after a resume could not be undone.
template <std::copyable State>
class state_copies {
 public:
  /// In the order of declaration of `training_state`. Gives the return that was carried out last, `keep` for none: what
  /// else follows the state, as a data loader does, has to go back too. A return that nothing was saved for changes
  /// nothing, which `lacked` tells. Throws what copying throws.
  training_state carry_out(training_state what, State& now) {
    training_state returned = training_state::keep;
    auto const put_back = [&](training_state asked, std::optional<State> const& from) {
      if (!has(what, asked)) return;
      if (!from) {
        lacked_ = true;
        return;
      }
      now = *from;
      returned = asked;
    };
    auto const mark = [&](training_state asked, std::optional<State>& to) {
      if (has(what, asked)) to = now;
    };
    mark(training_state::mark_best, best_);
    put_back(training_state::return_to_best, best_);
    put_back(training_state::return_to_trial, trial_);
    // Before the first promotion the candidate is all there is: the state that training began with.
    put_back(training_state::return_to_good, good_ ? good_ : candidate_);
    if (has(what, training_state::promote) && candidate_) {
      good_.swap(candidate_);
      if (!has(what, training_state::mark_candidate)) candidate_.reset();
    }
    mark(training_state::mark_candidate, candidate_);
    mark(training_state::mark_trial, trial_);
    if (has(what, training_state::drop_trial)) trial_.reset();
    mark(training_state::mark_origin, origin_);
    put_back(training_state::return_to_origin, origin_);
    if (has(what, training_state::drop_origin)) origin_.reset();
    return returned;
  }

  /// For a run that ends here, where `next` is the suggestion that would follow: no trial stays in the state, whether
  /// it goes on, would only begin, or has ended with the last step, which `next` alone says. Throws what copying
  /// throws.
  void finish(suggestion const& next, State& now) {
    carry_out(next.state, now);
    if (next.why == reason::range_test) leave_trial(now);
  }

  /// For a run that ends in a trial (`reason::range_test`): what the trial began from, or the origin where it began
  /// there, is assigned to the state. False where neither is kept: nothing has changed then.
  /// @pre all that was asked for is carried out: the copies may be those of another trial else, see `finish`
  bool leave_trial(State& now) const {
    std::optional<State> const& from = trial_ ? trial_ : origin_;
    if (from) now = *from;
    return from.has_value();
  }

  /// Whether a return was asked for that nothing was saved for, ever: as where a run was resumed without its copies, or
  /// was told to be restorable before anything was marked.
  bool lacked() const noexcept { return lacked_; }

  /// Every copy, in an order that stays: `visit(std::string_view name, std::optional<State>& copy)`, to write them to a
  /// checkpoint and to read them back.
  template <class Visit>
  void each(Visit&& visit) {
    visit(std::string_view("best"), best_);
    visit(std::string_view("trial"), trial_);
    visit(std::string_view("good"), good_);
    visit(std::string_view("candidate"), candidate_);
    visit(std::string_view("origin"), origin_);
  }

 private:
  std::optional<State> best_, trial_, good_, candidate_, origin_;
  bool lacked_ = false;
};

}  // namespace autotunenet
