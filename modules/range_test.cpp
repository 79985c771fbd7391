module;
#include <algorithm>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <format>
#include <memory_resource>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "range_curve.hpp"

module autotunenet;

import :log_axis;

namespace autotunenet {

namespace {

// Where the lowest metric comes late, the value that made most of it is the safer guide.
constexpr double most_of_the_fall = 2.0 / 3.0;
// Of the smoothed metric that has to prove the value, per metric.
constexpr double kept = 0.9;
// A step down that is smaller than this would change little.
constexpr double clearly = 1.1;

struct range_tested {
  enum class phase : std::uint8_t { first, sweep, landing, proving, through };

  range_test_options options;
  std::size_t steps;
  range_curve curve{steps};
  phase now = phase::first;
  std::size_t axis = 0;
  std::size_t taken = 0;  // suggestions of the sweep
  double spent = 0.0;     // training steps that will be undone
  double previous = 0.0;  // the value before the pending one: the one a metric speaks of
  std::uint64_t inner_number = 0;

  bool found = false;
  double landing_value = 0.0;
  double safe_value = 0.0;  // where a long run would land
  double trunk = 0.0;       // training steps since the last landing
  double level = 0.0;       // the metric, smoothed, and the weight of what went into it
  double level_weight = 0.0;
  std::size_t restarted = 0;
  training_state extra_state = training_state::keep;
  suggestion out{};

  double value(std::size_t step) const noexcept {
    double const unit = static_cast<double>(step) / static_cast<double>(steps - 1);
    return out.values.space().from_unit(axis, unit);
  }

  suggestion const& ask(suggestions& inner) {
    suggestion const& wanted = inner.ask();
    ++out.number;
    if (out.values.empty()) begin(wanted);
    if ((now == phase::proving || now == phase::through) && wanted.number != inner_number) {
      inner_number = wanted.number;
      out.values = wanted.values;
      out.events = wanted.events;
      out.why = wanted.why;
      out.state = wanted.state | std::exchange(extra_state, training_state::keep);
    }
    return out;
  }

  void begin(suggestion const& wanted) {
    out.values = wanted.values;
    out.why = wanted.why;
    out.events = wanted.events;
    auto const index = log_axis(wanted.values.space(), options.parameter, "range_test");
    if (!index) {
      now = phase::through;
      return;
    }
    axis = *index;
    out.state = training_state::mark_trial;
  }

  void tell(observation const& seen, suggestions& inner) {
    switch (now) {
      case phase::first:
        if (seen.restorable && !seen.coarse) return start_sweep();
        now = phase::through;
        if (seen.coarse) extra_state = training_state::drop_trial;
        return pass(seen, inner);
      case phase::sweep:
        return follow(seen, inner);
      case phase::landing:
        return land(seen, inner);
      case phase::proving:
        return prove(seen, inner);
      case phase::through:
        return pass(seen, inner);
    }
  }

  void start_sweep() {
    now = phase::sweep;
    spent = 1.0;
    out.why = reason::range_test;
    out.events = event::range_test_began;
    out.state = training_state::return_to_trial;
    out.values.assign(axis, value(taken++));
  }

  void follow(observation const& seen, suggestions& inner) {
    spent += seen.steps;
    out.events = event::none;
    out.state = training_state::keep;
    if (seen.bad())
      curve.fail();
    else if (seen.usable())
      curve.add(taken == 1 ? out.values[axis] : previous, seen.metric);
    if (curve.diverged() || taken == steps) return finish(inner);
    previous = out.values[axis];
    out.values.assign(axis, value(taken++));
  }

  void finish(suggestions& inner) {
    found = curve.lowest().has_value();
    now = found ? phase::landing : phase::through;
    if (!found && !skip(inner)) return;
    out.values = inner.ask().values;
    if (found) {
      safe_value = std::min(curve.edge() / options.back_off, curve.fallen_by(most_of_the_fall));
      landing_value = std::min(safe_value * raise(), curve.edge() / options.least_back_off);
      out.values.assign(axis, landing_value);
    }
    out.why = reason::start;
    out.events = event::range_test_ended;
    out.state = training_state::return_to_trial;
    if (!to_be_proven()) out.state |= training_state::drop_trial;
  }

  // Nothing was found: the inner tuner goes on from where it would be by now. False if it ends instead.
  bool skip(suggestions& inner) {
    inner.tell({.result = outcome::skipped, .steps = spent});
    suggestion const* const wanted = inner.poll();
    if (wanted) inner_number = wanted->number;
    return wanted != nullptr;
  }

  // How much higher a short run begins.
  double raise() const noexcept {
    if (options.horizon == 0) return 1.0;
    return std::max(1.0, std::sqrt(static_cast<double>(options.long_run) / static_cast<double>(options.horizon)));
  }

  bool to_be_proven() const noexcept { return found && options.horizon > 0 && options.restarts > 0; }

  // A rate that looks good for a moment may kill a network slowly.
  void prove(observation const& seen, suggestions& inner) {
    trunk += seen.steps;
    if (seen.usable()) {
      level = kept * level + (1.0 - kept) * seen.metric;
      level_weight = kept * level_weight + (1.0 - kept);
    }
    pass(seen, inner);
    if (trunk < options.proof * static_cast<double>(options.horizon) || level_weight == 0.0) return;
    trunk = 0.0;
    if (curve.start_level() - level / level_weight >= 0.5 * curve.fall()) {
      now = phase::through;
      extra_state = training_state::drop_trial;
      return;
    }
    begin_again(inner);
  }

  void begin_again(suggestions& inner) {
    landing_value = landing_value > clearly * safe_value ? safe_value : landing_value / 4.0;
    level = level_weight = 0.0;
    spent = 0.0;
    now = phase::landing;
    out.values = inner.ask().values;
    out.values.assign(axis, landing_value);
    out.why = reason::back_off;
    out.events = event::backed_off;
    out.state = training_state::return_to_trial;
    if (++restarted == options.restarts) out.state |= training_state::drop_trial;
  }

  void fields(archive& a) {
    a.section("range test");
    a.between(now, phase::first, phase::through);
    a(curve)(taken)(spent)(previous)(inner_number);
    a(found)(landing_value)(safe_value)(trunk)(level)(level_weight)(restarted);
    a(extra_state)(out);
  }

  // The first stretch that counts: the inner tuner learns where it begins, and how much of the run is gone.
  void land(observation const& seen, suggestions& inner) {
    observation passed = seen;
    if (passed.applied.empty()) passed.applied = out.values.values();
    passed.steps += spent;
    passed.relocated = true;
    now = to_be_proven() && restarted < options.restarts ? phase::proving : phase::through;
    pass(passed, inner);
  }

  void pass(observation passed, suggestions& inner) {
    passed.number = 0;
    inner.tell(passed);
  }
};

}  // namespace

range_test::range_test(range_test_options options, std::pmr::memory_resource* memory)
    : options_(std::move(options)), memory_(memory) {
  if (!(options_.budget >= 0.0 && options_.most_budget >= options_.budget && options_.most_budget <= 1.0)) {
    throw invalid_option(
        std::format("range_test: budget = {} and most_budget = {} must lie between 0 and 1, in this order",
                    options_.budget, options_.most_budget));
  }
  if (!(options_.back_off >= 1.0 && std::isfinite(options_.back_off))) {
    throw invalid_option(std::format("range_test: back_off = {} must be at least 1", options_.back_off));
  }
  if (!(options_.least_back_off >= 1.0 && options_.least_back_off <= options_.back_off)) {
    throw invalid_option(
        std::format("range_test: least_back_off = {} must lie between 1 and back_off", options_.least_back_off));
  }
  if (!(options_.proof > 0.0 && options_.proof <= 1.0)) {
    throw invalid_option(std::format("range_test: proof = {} must lie in (0, 1]", options_.proof));
  }
  if (options_.least_steps < 8 || options_.most_steps < options_.least_steps || options_.most_steps > 10000) {
    throw invalid_option(std::format(
        "range_test: least_steps = {} and most_steps = {} must be 8 or more, in this order, and at most 10000",
        options_.least_steps, options_.most_steps));
  }
}

suggestions range_test::operator()(suggestions inner) const {
  std::size_t steps = options_.most_steps;
  if (options_.horizon > 0) {
    auto const part = [&](double of) { return static_cast<std::size_t>(of * static_cast<double>(options_.horizon)); };
    // Few points make a poor sweep: a short run affords relatively more of them.
    steps = std::min({steps, std::max(options_.enough_steps, part(options_.budget)), part(options_.most_budget)});
  }
  if (steps < options_.least_steps) return inner;
  return drive(range_tested{options_, steps}, std::move(inner), memory_);
}

}  // namespace autotunenet
