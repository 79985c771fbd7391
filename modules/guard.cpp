module;
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <format>
#include <limits>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

module autotunenet;

import :back_off;
import :bounded_step;
import :last_good;
import :pace;
import :recovery;
import :regression_test;
import :unit_box;

namespace autotunenet {

pace pace_of(guard_options const& given, bool by_epochs) noexcept {
  constexpr pace of_steps{.window = 5, .patience = 3, .cooldown = 10, .snapshot_every = 100};
  constexpr pace of_epochs{.window = 1, .patience = 2, .cooldown = 2, .snapshot_every = 1};
  pace const& usual = by_epochs ? of_epochs : of_steps;
  return {.window = given.window.value_or(usual.window),
          .patience = given.patience.value_or(usual.patience),
          .cooldown = given.cooldown.value_or(usual.cooldown),
          .snapshot_every = given.snapshot_every.value_or(usual.snapshot_every)};
}

namespace {

[[noreturn]] void refuse_suggested(std::size_t given, std::size_t before) {
  throw invalid_option(
      std::format("guard: the tuner suggested {} values after {}; the search space must stay the same", given, before));
}

/// All that a guard knows. Known in this file alone, so that it becomes one with the coroutine that calls it each step.
struct guarding {
  explicit guarding(guard_options const& given);

  suggestion const& ask(suggestions& inner);
  void tell(observation const& seen, suggestions& inner);
  void fields(archive& a);

 private:
  guarding(guard_options const& given, pace const& counts);
  void go_by_epochs(bool epochs);

  // Where suggestions come from, in the order of `ask`.
  void begin(suggestion const& wanted);
  void apply_remedy();
  void leave_remedy();
  void follow(suggestion const& wanted);
  void end_trial(suggestion const& wanted);
  void give_up_what_followed();
  void hold(reason why);
  void propose(suggestion const& wanted);

  // What observations lead to, in the order of `tell`.
  bool notice_what_ran(observation const& seen);
  bool overridden(bool elsewhere) noexcept;
  void judge(observation const& seen, observation& inward);
  verdict settle_in(verdict now);
  void choose_remedy(bool restorable);
  bool was_outage(bool restorable) const noexcept;
  void end_outage();

  void check_shape(configuration const& values) const;
  bool returns_state(observation const& seen) const noexcept {
    return seen.restorable && options.rollback == rollback_scope::full;
  }

  guard_options options;
  suggestion out{};                // the last suggestion
  std::vector<double> ran{};       // what ran last; outside the bounds if the trainer says so
  bool settled = false;            // what ran last is what was suggested last
  std::size_t not_followed = 0;    // observations in a row in which something else ran
  std::vector<double> target{};    // of the last remedy
  std::optional<reason> remedy{};  // decided by the last observation
  event news = event::none;        // for the next suggestion
  event noticed = event::none;     // the same, by the trainer
  training_state wishes = training_state::keep;
  bool returns = false;     // to the good values after an outage, with the next suggestion
  bool had_outage = false;  // since a configuration became good last

  std::optional<bounded_step> step{};
  std::optional<safety> safe{};
  bool by_epochs = false;
  warm_up settling;
  regression_test test;
  last_good good;
  recovery care;
  direction_check direction;
};

guarding::guarding(guard_options const& given) : guarding(given, pace_of(given, false)) {}

guarding::guarding(guard_options const& given, pace const& counts)
    : options(given),
      settling{.observations = given.warm_up, .limit = given.warm_up_metric},
      test({given.max_regression, given.noise_margin, counts.window, given.recall}),
      good{.patience = counts.patience, .snapshot_every = counts.snapshot_every},
      care{.patience = counts.patience, .cooldown = counts.cooldown} {}

// Before anything was observed.
void guarding::go_by_epochs(bool epochs) {
  pace const counts = pace_of(options, epochs);
  by_epochs = epochs;
  test = regression_test({options.max_regression, options.noise_margin, counts.window, options.recall});
  good.patience = care.patience = counts.patience;
  good.snapshot_every = counts.snapshot_every;
  care.cooldown = counts.cooldown;
}

suggestion const& guarding::ask(suggestions& inner) {
  suggestion const& wanted = inner.ask();
  check_shape(wanted.values);
  constexpr training_state back = training_state::return_to_trial | training_state::return_to_origin;
  bool const remedies_itself =
      has(wanted.state, back) && (wanted.why == reason::range_test || wanted.why == reason::back_off);
  bool const trial_ends = out.why == reason::range_test || has(wanted.state, back);
  bool const to_best = has(wanted.state, training_state::return_to_best);
  bool const first = !step;
  if (remedy && (to_best || remedies_itself)) leave_remedy();
  if (first) begin(wanted);
  ++out.number;
  out.events = wanted.events | std::exchange(news, event::none) | std::exchange(noticed, event::none);
  out.state = wanted.state | std::exchange(wishes, training_state::keep);
  if (to_best) give_up_what_followed();

  if (first)
    follow(wanted);
  else if (remedy)
    apply_remedy();
  else if (wanted.why == reason::range_test)
    follow(wanted);
  else if (trial_ends)
    end_trial(wanted);
  else if (care.cooling())
    hold(reason::cooldown);
  else if (settling.active())
    hold(reason::warm_up);
  else if (wanted.why == reason::hold)
    hold(reason::hold);
  else
    propose(wanted);

  if (first && wanted.why != reason::range_test) out.why = reason::start;
  return out;
}

void guarding::tell(observation const& seen, suggestions& inner) {
  bool const new_here = notice_what_ran(seen);
  if (out.number == 1 && seen.covers == coverage::epoch) go_by_epochs(true);
  if (overridden(has(seen.noticed, event::overridden))) news |= event::overridden;
  noticed |= without(seen.noticed, event::overridden);
  observation inward = seen;
  inward.number = 0;
  inward.applied = ran;
  inward.relocated = std::exchange(returns, false) || seen.relocated;
  if (out.number == 1 && returns_state(seen))
    wishes |= training_state::promote;  // what was marked before the first step
  if (out.why != reason::range_test && seen.result != outcome::skipped) judge(seen, inward);
  if (new_here || remedy) step->around(remedy ? target : ran);
  inward.within = step->within();
  inner.tell(inward);
}

void guarding::begin(suggestion const& wanted) {
  search_space const& space = wanted.values.space();
  out.values = wanted.values;
  step.emplace(space, options.max_delta);
  safe.emplace(space, options.safety, options.back_off);
  ran.reserve(space.size());
  target.reserve(space.size());
  good.values.reserve(space.size());
  good.candidate.reserve(space.size());
  if (options.rollback == rollback_scope::full) wishes |= training_state::mark_candidate;
}

void guarding::apply_remedy() {
  out.values.assign(target);
  settled = false;
  out.why = *std::exchange(remedy, std::nullopt);
}

// What goes back by itself does what the remedy would have done.
void guarding::leave_remedy() {
  remedy.reset();
  returns = false;
  step->around(ran);
  news = has(news, event::failed) ? event::failed : event::regressed;
  wishes = has(wishes, training_state::promote) ? training_state::promote : training_state::keep;
}

void guarding::follow(suggestion const& wanted) {
  out.values.assign(wanted.values.values());
  settled = false;
  out.why = wanted.why;
}

void guarding::end_trial(suggestion const& wanted) {
  follow(wanted);
  if (wanted.why == reason::hold) return test.interrupt();  // it goes on where it was: what was known still holds
  bool const to_origin = has(wanted.state, training_state::return_to_origin);
  test.begin_afresh(!to_origin);
  care.begin_afresh();
  direction = {};
  settling.begin_afresh();
  if (to_origin)
    good.give_up();
  else
    good.drop_candidate();
}

// The state at the best validation is another than that of the regression test, and of what has become good since.
void guarding::give_up_what_followed() {
  test.begin_afresh(true);
  care.begin_afresh();
  good.give_up();
}

void guarding::hold(reason why) {
  out.why = why;
  if (why != reason::cooldown && !settled) out.values.assign(ran);
}

void guarding::propose(suggestion const& wanted) {
  constexpr double rounding = 1e-9;  // the tuner chose inside the box, in other units
  out.why = wanted.why;
  if (settled && same_values(wanted.values.values(), ran)) return;
  settled = false;
  for (std::size_t i = 0; i < ran.size(); ++i) {
    double const to = wanted.values[i];
    double const reached = step->nearest(i, to);
    if (std::abs(to - reached) > rounding * std::abs(reached)) out.events |= event::clamped;
    if (reached != out.values[i]) out.values.assign(i, reached);
  }
}

// Whether the place is a new one. Mostly it is not, and then nothing is copied.
bool guarding::notice_what_ran(observation const& seen) {
  if (settled && seen.applied.empty()) return false;
  std::span<double const> const applied = applied_to(out, seen);
  if (settled && same_values(applied, ran)) return false;
  ran.assign(applied.begin(), applied.end());
  for (std::size_t i = 0; i < ran.size(); ++i) {
    if (std::isnan(ran[i])) ran[i] = out.values[i];
  }
  settled = same_values(ran, out.values.values());
  return true;
}

// Once in a run: the count stays where it was then.
bool guarding::overridden(bool elsewhere) noexcept {
  constexpr std::size_t by_chance = 10;
  constexpr double apart = 0.01;
  if (not_followed > by_chance) return false;
  bool another = elsewhere;
  for (std::size_t i = 0; !settled && i < ran.size(); ++i)
    another |= std::abs(ran[i] - out.values[i]) > apart * std::abs(ran[i]);
  not_followed = another ? not_followed + 1 : 0;
  return not_followed > by_chance;
}

void guarding::judge(observation const& seen, observation& inward) {
  bool const restorable = returns_state(seen);
  if (has(out.state, training_state::mark_candidate) && out.number > 1 && !restorable) good.copy_refused();
  if (seen.bad()) {
    news |= event::failed;
    inward.result = outcome::failed;
    good.fail();
    // A loader that throws now and then says nothing of the values.
    if (good.proven) care.remedies = 0;
    choose_remedy(restorable);
    return;
  }
  if (good.proven) had_outage = false;
  if (was_outage(restorable)) return end_outage();
  verdict const now = settle_in(test.observe(seen.metric, seen.noise));
  if (test.measured()) direction.observe(test.level());
  if (now == verdict::regressed) news |= event::regressed;
  auto const [events, state] = good.observe(now, test.far_out(seen.metric), ran, out.values.space(), restorable);
  news |= events;
  wishes |= state;
  if (good.proven && now == verdict::healthy) care.recovered(test.level());

  bool const was_cooling = care.cooling();
  if (care.cool()) news |= event::cooldown_ended;
  if (care.metric_moved(now)) {
    test.rebase();
    care.forget_reached();
    news |= event::rebased;
    if (direction.suspicious(test.level(), test.level_error())) news |= event::only_worse;
  } else if (!was_cooling && care.exhausted(now)) {
    inward.result = outcome::failed;
    choose_remedy(restorable);
  }
}

// Where nothing could be measured at any value, though the state was one that could be, it was not the values: a lower
// one would have told.
bool guarding::was_outage(bool restorable) const noexcept {
  constexpr std::size_t least = 3;
  return good.failures >= least && good.known() && good.has_state && restorable && !had_outage;
}

void guarding::end_outage() {
  had_outage = returns = true;
  target = good.values;
  remedy = reason::rollback;
  news |= event::rolled_back;
  wishes |= training_state::return_to_good;
  care.begin_afresh();
  care.remedies = 0;
  good.end_failures();
  test.interrupt();
}

// In warm-up nothing is judged; the reference for what follows is the level at its end.
verdict guarding::settle_in(verdict now) {
  if (!settling.active()) return now;
  if (settling.observe(test)) {
    news |= event::warm_up_ended;
    test.forget_best();
  }
  return verdict::unknown;
}

// A rollback that training does not come further from leads into the same regression again: then values are lowered,
// and weights go back all the same.
void guarding::choose_remedy(bool restorable) {
  bool const roll_back = good.known() && good.proven && care.remedies == 0;
  if (roll_back) {
    target = good.values;
  } else {
    if (care.remedies == 0) target = ran;
    for (std::size_t i = care.stride(); i > 0; --i) safe->retreat(target, ran);
  }
  remedy = roll_back ? reason::rollback : reason::back_off;
  news |= roll_back ? event::rolled_back : event::backed_off;
  if (care.cooldown > 0) news |= event::cooldown_began;
  if (options.rollback == rollback_scope::full && good.can_return()) wishes |= training_state::return_to_good;
  care.begin(test.best(), restorable && good.can_return());
  good.doubt();
  test.interrupt();
}

// The boxes of bounded steps follow from their center; what lowers parameters follows from options and space.
void guarding::fields(archive& a) {
  a.section("guard");
  std::size_t const size = out.values.size();
  auto const of_this_space = [&](std::vector<double>& values, bool may_lack) {
    a(values);
    if (values.size() != size && !(may_lack && values.empty())) archive::refuse("holds values of another search space");
  };
  a(out)(settled)(not_followed)(remedy)(news)(noticed)(wishes)(returns)(had_outage);
  if (remedy && *remedy != reason::rollback && *remedy != reason::back_off) archive::refuse("holds no remedy");
  bool epochs = by_epochs;
  a(epochs);
  if (epochs != by_epochs) go_by_epochs(epochs);
  of_this_space(ran, out.number < 2 && !settled);
  of_this_space(target, !remedy);
  of_this_space(good.values, true);
  of_this_space(good.candidate, true);
  a(settling)(test)(good)(care)(direction);
  if (step) a(*step);
}

void guarding::check_shape(configuration const& values) const {
  if (values.empty())
    throw invalid_option("guard: the tuner suggested an empty configuration; it needs one of a search space");
  if (step && values.size() != out.values.size()) refuse_suggested(values.size(), out.values.size());
}

void check(bool allowed, char const* key, double value, char const* what) {
  if (!allowed) throw invalid_option(std::format("guard: {} = {} is not allowed; it must be {}", key, value, what));
}

void check(guard_options const& o) {
  auto const count = [](std::size_t n) { return static_cast<double>(n); };
  pace const counts = pace_of(o, false);
  check(!std::isnan(o.warm_up_metric), "warm_up_metric", o.warm_up_metric, "a number");
  check(o.max_delta > 0.0 && std::isfinite(o.max_delta), "max_delta", o.max_delta, "above 0 and finite");
  check(o.max_regression >= 0.0, "max_regression", o.max_regression, "at least 0");
  check(o.noise_margin >= 0.0 && std::isfinite(o.noise_margin), "noise_margin", o.noise_margin,
        "at least 0 and finite");
  check(counts.window >= 1 && counts.window <= 4096, "window", count(counts.window), "between 1 and 4096");
  check(o.recall >= 1 && o.recall <= 1048576, "recall", count(o.recall), "between 1 and 1048576");
  check(counts.patience >= 1, "patience", count(counts.patience), "at least 1");
  check(o.back_off > 0.0 && o.back_off < 1.0, "back_off", o.back_off, "above 0 and below 1");
  check(counts.snapshot_every >= 1, "snapshot_every", count(counts.snapshot_every), "at least 1");
  for (std::string const& name : o.safety) {
    if (name.empty())
      throw invalid_option("guard: safety holds an empty name; name parameters, or leave the list empty");
  }
}

}  // namespace

guard::guard(guard_options options, std::pmr::memory_resource* memory) : options_(std::move(options)), memory_(memory) {
  check(options_);
}

suggestions guard::operator()(suggestions inner) const { return drive(guarding{options_}, std::move(inner), memory_); }

}  // namespace autotunenet
