module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "landing_proof.hpp"
#include "override_check.hpp"
#include "pilot_plan.hpp"
#include "range_sweep.hpp"

module autotunenet:range_testing;

import :archive;
import :generator;
import :tied_rates;
import :trial;

namespace autotunenet {

/// All that a range test knows, and what it tells the trainer and the inner tuner: of the sweep, of training that has
/// to prove what the sweep found, and of pilots.
struct range_testing {
  range_testing(std::string name, range_sweep values, landing_proof const& landing, pilot_plan const& others)
      : parameter(std::move(name)),
        sweep(std::move(values)),
        unused_proof(landing),
        unused_plan(others),
        proof(landing),
        plan(others) {}

  suggestion const& ask(suggestions& inner);
  void tell(observation const& seen, suggestions& inner);
  void fields(archive& a);

 private:
  enum class phase : std::uint8_t { first, sweep, landing, proving, pilot, watching, through };

  void begin(suggestion const& wanted);
  void pass(observation passed, suggestions& inner);

  // The sweep, and where it leads.
  void start(observation const& seen, suggestions& inner);
  void wait();
  void follow_sweep(observation const& seen, suggestions& inner);
  void finish_sweep(suggestions& inner);
  bool keep_start(suggestions& inner);

  // Landings, which training has to prove.
  void land_at(double there, reason why, event what, suggestions& inner);
  void land(observation const& seen, suggestions& inner);
  void prove(observation const& seen, suggestions& inner);
  void watch(observation const& seen, suggestions& inner);
  void settle() noexcept;
  void begin_again(double there, suggestions& inner);
  void leave_harm(suggestions& inner);
  void return_to_left(suggestions& inner);
  void return_to_start(suggestions& inner);
  void return_for_good(double there, training_state back, suggestions& inner);
  void land_again(double there, training_state back, suggestions& inner);

  // Pilots, and the way back from them.
  void start_pilots(suggestions& inner);
  void start_doubts(suggestions& inner);
  void leave_run(suggestions& inner);
  void compare_with(double value);
  void climb();
  void begin_anew_at(double value);
  void start_pilot(double value);
  void follow_pilot(observation const& seen, suggestions& inner);
  void go_on_with_pilot(suggestions& inner);
  void leave_pilots(suggestions& inner);
  void go_without_pilots(suggestions& inner);

  bool follows_inner() const noexcept {
    return now == phase::proving || now == phase::watching || now == phase::through;
  }
  // A start that is kept is the user's own.
  bool to_be_proven() const noexcept { return proof.value() > 0.0; }
  bool unsettled() const noexcept { return proof.can_restart() || !plan.doubted(); }
  bool room_above(double value) const noexcept { return clearly_higher(rates.at(1.0), value); }
  range_curve const& swept() const noexcept { return sweep.curve(); }
  static std::optional<double> metric_of(observation const& seen) noexcept {
    return seen.usable() ? std::optional(seen.metric) : std::nullopt;
  }

  std::string parameter;
  range_sweep sweep;
  // Of the horizon here, as long as nothing has landed.
  landing_proof unused_proof;
  pilot_plan unused_plan;
  landing_proof proof;
  pilot_plan plan;
  override_check check;  // of pilots
  phase now = phase::first;
  tied_rates rates;
  std::vector<double> held;  // of the first landing: until that is proven nothing but the rates moves
  double spent = 0.0;        // training steps that the inner tuner has not been told of
  bool ready = false;        // from tell to ask: the suggestion is made, and is not the inner tuner's

  training_state extra_state = training_state::keep;
  event extra_events = event::none;
  suggestion out;
};

}  // namespace autotunenet
