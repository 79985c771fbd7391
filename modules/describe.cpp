module;
#include <array>
#include <optional>
#include <string>
#include <string_view>

module autotunenet;

namespace autotunenet {

namespace {

constexpr std::array all_reasons{reason::start,    reason::warm_up, reason::range_test, reason::explore,
                                 reason::exploit,  reason::anneal,  reason::hold,       reason::rollback,
                                 reason::cooldown, reason::back_off};
constexpr std::array all_outcomes{outcome::measured, outcome::failed, outcome::skipped};
constexpr std::array all_coverages{coverage::unknown, coverage::step, coverage::epoch};

template <class Value, std::size_t count>
std::optional<Value> find(std::array<Value, count> const& all, std::string_view name) noexcept {
  for (Value const one : all) {
    if (to_string(one) == name) return one;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(event one) noexcept {
  switch (one) {
    case event::none:
      return "none";
    case event::clamped:
      return "clamped";
    case event::rolled_back:
      return "rolled back";
    case event::backed_off:
      return "backed off";
    case event::cooldown_began:
      return "cooldown began";
    case event::cooldown_ended:
      return "cooldown ended";
    case event::warm_up_ended:
      return "warm-up ended";
    case event::range_test_began:
      return "range test began";
    case event::range_test_ended:
      return "range test ended";
    case event::regressed:
      return "regressed";
    case event::failed:
      return "failed";
    case event::became_good:
      return "became good";
    case event::rebased:
      return "rebased";
    case event::only_worse:
      return "only worse";
    case event::overfitting:
      return "overfitting";
    case event::horizon_passed:
      return "horizon passed";
    case event::not_located:
      return "not located";
    case event::overridden:
      return "overridden";
    case event::no_learning_rate:
      return "no parameter is the learning rate";
    case event::not_restorable:
      return "training state cannot be put back";
    case event::run_too_short:
      return "run too short";
    case event::no_difference:
      return "no value made a difference";
    case event::marked_anew:
      return "marked anew";
    case event::not_measured:
      return "not measured";
    case event::rare_objective:
      return "rare objective";
    case event::far_horizon:
      return "far horizon";
    case event::best_tried:
      return "best state tried";
    case event::best_kept:
      return "best state kept";
  }
  return "several";
}

std::string_view to_string(coverage of) noexcept {
  switch (of) {
    case coverage::unknown:
      return "unknown";
    case coverage::step:
      return "step";
    case coverage::epoch:
      return "epoch";
  }
  return "unknown";
}

std::string_view to_string(outcome result) noexcept {
  switch (result) {
    case outcome::measured:
      return "measured";
    case outcome::failed:
      return "failed";
    case outcome::skipped:
      return "skipped";
  }
  return "unknown";
}

namespace {

std::string_view advice(event one) noexcept {
  switch (one) {
    case event::only_worse:
      return " since the start: is the direction right?";
    case event::horizon_passed:
      return ": is the run longer than planned?";
    case event::not_restorable:
      return " (was the model given, and is there room for copies? a loop without an adapter says so by "
             "observation::restorable)";
    case event::run_too_short:
      return " to look for a learning rate";
    case event::overridden:
      return ": not what is suggested runs; does a schedule set it too?";
    case event::marked_anew:
      return ": weights were loaded after the tuner was made, and training goes back to these now; make it last";
    case event::not_measured:
      return ": a metric is NaN or infinite though all weights are finite; are data or metric at fault?";
    case event::rare_objective:
      return ": another hook is called far more often with a metric; which one is meant, [tuning] objective says";
    case event::far_horizon:
      return ": the metric is of epochs; does [tuning] horizon count steps?";
    default:
      return {};
  }
}

}  // namespace

std::string describe(event all) {
  std::string text;
  for (event const one : all_events) {
    if (!has(all, one)) continue;
    if (!text.empty()) text += ", ";
    text += to_string(one);
    text += advice(one);
  }
  return text;
}

std::optional<reason> reason_named(std::string_view name) noexcept { return find(all_reasons, name); }
std::optional<event> event_named(std::string_view name) noexcept { return find(all_events, name); }
std::optional<coverage> coverage_named(std::string_view name) noexcept { return find(all_coverages, name); }
std::optional<outcome> outcome_named(std::string_view name) noexcept { return find(all_outcomes, name); }

}  // namespace autotunenet
