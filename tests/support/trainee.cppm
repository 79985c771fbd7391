module;
#include <optional>
#include <stdexcept>

export module support.trainee;

import autotunenet;

using namespace autotunenet;

export namespace support {

/// What is trained, with the copies that suggestions ask for: saved and put back as an adapter would.
template <class State>
struct trainee {
  State now;
  std::optional<State> origin{}, trial{}, best{};
  // The caller counts what leads to the present state.
  double progress = 0.0, progress_at_trial = 0.0, progress_at_best = 0.0;

  void carry_out(training_state what) {
    if (has(what, training_state::mark_best)) {
      best = now;
      progress_at_best = progress;
    }
    if (has(what, training_state::return_to_best)) back(best, progress_at_best);
    if (has(what, training_state::return_to_trial)) back(trial, progress_at_trial);
    if (has(what, training_state::mark_trial)) {
      trial = now;
      progress_at_trial = progress;
    }
    if (has(what, training_state::drop_trial)) trial.reset();
    if (has(what, training_state::mark_origin)) origin = now;
    if (has(what, training_state::return_to_origin)) back(origin, 0.0);
    if (has(what, training_state::drop_origin)) origin.reset();
  }

 private:
  void back(std::optional<State> const& to, double then) {
    if (!to) throw std::logic_error("a suggestion goes back to what was not saved");
    now = *to;
    progress = then;
  }
};

}  // namespace support
