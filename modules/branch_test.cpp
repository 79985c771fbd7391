module;
#include <algorithm>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <format>
#include <limits>
#include <memory_resource>
#include <optional>
#include <string>
#include <utility>

#include "branch_curve.hpp"
#include "override_check.hpp"
#include "sample_mean.hpp"

module autotunenet;

import :tied_rates;

namespace autotunenet {

namespace {

// The metrics from which the level at the start is known.
constexpr int start_metrics = 4;
// The part of a branch, at its end, that is measured.
constexpr double measured_part = 0.4;
// Metrics in a row that are far off, and end a branch.
constexpr int too_often = 3;
// What branches cost at most: as many as the search can ask for.
constexpr double most_branches = 6.0;

struct branch_tested {
  enum class phase : std::uint8_t { waiting, branching, landing, through };

  branch_test_options options;
  std::size_t affordable;  // observations of a branch by the horizon here; 0: too few for a test
  std::size_t horizon = options.horizon;
  double due = options.at * static_cast<double>(options.horizon);
  std::size_t length = affordable;  // of a branch
  phase now = phase::waiting;
  bool told = false;
  tied_rates rates{};
  double elapsed = 0.0;  // since training began, or began again
  double spent = 0.0;
  int started = 0;
  double start_level = 0.0;
  double recent_level = 0.0;
  int far_off = 0;  // metrics in a row that are as far above the start as training has come below it
  std::optional<branch_curve> curve{};
  double base = 0.0;      // the value that multiples refer to
  double multiple = 1.0;  // of the running branch
  std::size_t step = 0;   // in the running branch
  sample_mean at_end{};   // of its metrics
  override_check check{};
  suggestion out{};

  suggestion const& ask(suggestions& inner) {
    suggestion const& wanted = inner.ask();
    ++out.number;
    if (out.values.empty()) begin(wanted);
    if (now == phase::waiting || now == phase::through) {
      out.values = wanted.values;
      out.events = wanted.events;
      out.why = wanted.why;
      out.state = wanted.state;
    }
    return out;
  }

  void begin(suggestion const& wanted) {
    rates = tied_rates(wanted.values.space(), options.parameter, "branch_test");
    if (rates.none()) now = phase::through;
  }

  void tell(observation const& seen, suggestions& inner) {
    told = true;
    switch (now) {
      case phase::waiting:
        return wait(seen, inner);
      case phase::branching:
        return follow(seen, inner);
      case phase::landing:
        return land(seen, inner);
      case phase::through:
        return pass(seen, inner);
    }
  }

  void wait(observation const& seen, suggestions& inner) {
    // After a landing of another trial what came before is undone, and the place for its saved state is taken.
    elapsed = seen.relocated ? 0.0 : elapsed + seen.steps;
    if (seen.usable()) {
      if (started < start_metrics) start_level += (seen.metric - start_level) / ++started;
      recent_level += (seen.metric - recent_level) * (started < start_metrics ? 1.0 : 0.1);
    }
    pass(seen, inner);
    if (length == 0 || elapsed < due || !seen.usable() || !seen.restorable || inner.poll() == nullptr) return;
    if (!(start_level > recent_level)) {
      now = phase::through;
      return;
    }
    rates.tie(inner.ask().values);
    base = rates.value(inner.ask().values);
    out.values = inner.ask().values;
    curve.emplace(start_level, options.tolerance);
    now = phase::branching;
    out.why = reason::range_test;
    out.events = event::range_test_began;
    out.state = training_state::mark_trial | saved_before_trial(inner.ask());
    start_branch();
  }

  void start_branch() {
    multiple = curve->next().value_or(1.0);
    step = 0;
    at_end = {};
    far_off = 0;
    set_value();
  }

  // A quarter of the branch from the present value to its multiple, a quarter there, the other half straight down.
  void set_value() {
    double const progress = static_cast<double>(step) / static_cast<double>(length);
    double const warmed = 1.0 + (multiple - 1.0) * std::min(1.0, 4.0 * progress);
    rates.set(out.values, base * warmed * std::min(1.0, 2.0 * (1.0 - progress)));
  }

  void follow(observation const& seen, suggestions& inner) {
    spent += seen.steps;
    if (has(out.state, training_state::mark_trial) && !seen.restorable) return go_without(inner);
    if (check.overridden(rates.value(out.values), rates.ran(out, seen))) return go_back(inner);
    out.events = event::none;
    out.state = training_state::keep;
    ++step;
    auto const whole = static_cast<double>(length);
    if (seen.usable() && static_cast<double>(step) > (1.0 - measured_part) * whole) {
      at_end.add(seen.metric);
    }
    far_off = seen.usable() && seen.metric > 2.0 * start_level - recent_level ? far_off + 1 : 0;
    bool const failed = seen.bad() || far_off == too_often;
    if (!failed && step < length) return set_value();
    if (failed) {
      curve->add(multiple, std::numeric_limits<double>::infinity(), 0.0);
    } else if (at_end.count() < 2.0) {
      curve.emplace(start_level, options.tolerance);  // with too few metrics nothing is known, so nothing changes
      return finish(inner);
    } else {
      curve->add(multiple, at_end.mean(), at_end.error());
    }
    if (!curve->next()) return finish(inner);
    out.state = training_state::return_to_trial;
    start_branch();
  }

  // The copy that branches leave from was not made: the run goes on from the first step of one.
  void go_without(suggestions& inner) {
    leave(reason::hold, inner);
    out.events |= event::not_restorable;
  }

  // Something else sets the value too: branches tell nothing.
  void go_back(suggestions& inner) {
    leave(reason::hold, inner);
    out.state |= training_state::return_to_trial;
  }

  void finish(suggestions& inner) {
    leave(reason::exploit, inner);
    out.state |= training_state::return_to_trial;
    if (auto const turning = curve->turning_point()) rates.set(out.values, base * options.back_off * *turning);
  }

  void leave(reason why, suggestions& inner) {
    now = phase::landing;
    out.values = inner.ask().values;
    out.why = why;
    out.events = event::range_test_ended;
    out.state = training_state::drop_trial;
  }

  void fields(archive& a) {
    a.section("branch test");
    a.between(now, phase::waiting, phase::through);
    if (rates.none() && now != phase::through) archive::refuse("tests a parameter that is not here");
    a(rates)(elapsed)(spent)(start_level)(recent_level)(base)(step)(at_end)(check)(out);
    a(told)(horizon).between(due, 0.0, std::numeric_limits<double>::max());
    a.at_most(length, options.most_steps, "branch_test: most_steps");
    if (now == phase::branching && length == 0) archive::refuse("holds branches of no steps");
    a.between(started, 0, start_metrics)
        .between(far_off, 0, too_often)
        .between(multiple, branch_curve::least, branch_curve::most);
    bool branched = curve.has_value();
    a(branched);
    if (now == phase::branching && !branched) archive::refuse("lacks the branches of a branch test");
    if (!branched)
      curve.reset();
    else if (!curve)
      curve.emplace(start_level, options.tolerance);
    if (curve) a(*curve);
    if (a.reading() && horizon != options.horizon) go_by_horizon_here();
  }

  // Branches under way go on as they began. Those to come are due by the later one of both horizons, since a test
  // outside that began by the other one may still hold the place for a saved state; where that time has passed, as in a
  // run that came to its end and is to go on, there are none.
  void go_by_horizon_here() noexcept {
    horizon = options.horizon;
    if (now != phase::waiting) return;
    length = affordable;
    double const due_here = options.at * static_cast<double>(options.horizon);
    due = told ? std::max(due, due_here) : due_here;
    if (length > 0 && told && elapsed >= due) now = phase::through;
  }

  // The first stretch that counts again: the inner tuner learns where it goes on, and how much of the run is gone.
  void land(observation const& seen, suggestions& inner) {
    observation passed = seen;
    if (passed.applied.empty()) passed.applied = out.values.values();
    passed.steps += spent;
    passed.relocated = true;
    now = phase::through;
    pass(passed, inner);
  }

  void pass(observation passed, suggestions& inner) {
    passed.number = 0;
    inner.tell(passed);
  }
};

void check_fraction(char const* key, double value) {
  if (!(value >= 0.0 && value <= 1.0)) {
    throw invalid_option(std::format("branch_test: {} = {} must lie between 0 and 1", key, value));
  }
}

}  // namespace

branch_test::branch_test(branch_test_options options, std::pmr::memory_resource* memory)
    : options_(std::move(options)), memory_(memory) {
  check_fraction("at", options_.at);
  check_fraction("budget", options_.budget);
  if (!(options_.tolerance > 0.0 && std::isfinite(options_.tolerance))) {
    throw invalid_option(std::format("branch_test: tolerance = {} must be above 0", options_.tolerance));
  }
  if (!(options_.back_off > 0.0 && options_.back_off <= 1.0)) {
    throw invalid_option(std::format("branch_test: back_off = {} must lie in (0, 1]", options_.back_off));
  }
  if (options_.least_steps < 8 || options_.most_steps < options_.least_steps) {
    throw invalid_option(
        std::format("branch_test: least_steps = {} and most_steps = {} must be 8 or more, in this order",
                    options_.least_steps, options_.most_steps));
  }
}

suggestions branch_test::operator()(suggestions inner) const {
  double const affordable = options_.budget * static_cast<double>(options_.horizon) / most_branches;
  auto const length = std::min(options_.most_steps, static_cast<std::size_t>(affordable));
  // Too short a run keeps the stage, to be gone on with as a longer one.
  return drive(branch_tested{options_, length < options_.least_steps ? 0 : length}, std::move(inner), memory_);
}

}  // namespace autotunenet
