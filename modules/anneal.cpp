module;
#include <algorithm>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <format>
#include <memory_resource>
#include <numbers>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "plateau.hpp"
#include "standstill.hpp"

module autotunenet;

import :overfitting_remedy;
import :parameter_name;
import :unit_box;

namespace autotunenet {

namespace {

// How far the peak may stray from where a reversible trial has put it, as a ratio: such trials tell octaves apart.
constexpr double leash = 2.0;

struct annealed {
  anneal_options options;
  plateau_detector plateau{};
  standstill_detector standstill{};
  overfitting_remedy remedy{options.overfitting_factor, options.return_to_best, options.horizon};
  double elapsed = 0.0;
  double plateau_multiple = 1.0;
  double spent = 0.0;          // observations of trials that the inner tuner has not heard of
  bool moved = false;          // by a trial that was kept, of which it has not heard either
  double anchor = 0.0;         // the peak that a trial or a remedy from outside has set; 0: none
  bool shape_changed = false;  // by a resume with another horizon, which the pending suggestion knows nothing of
  bool catching_up = false;    // with that shape, by steps that a guard shortens
  double caught = 0.0;         // what ran last
  double ran_before = 0.0;     // the same, and the peak that it was: what a guard holds while the shape rises is no
  double peak_before = 0.0;    // lower one

  event news = event::none;  // for the next suggestion
  suggestion out{};
  std::optional<std::size_t> axis{};
  double multiple = 1.0;
  std::vector<double> applied{};
  unit_box box{0};

  bool over() const noexcept { return options.horizon > 0 && elapsed > static_cast<double>(options.horizon); }

  double shape() const noexcept {
    if (options.horizon == 0) return plateau_multiple * remedy.multiple();
    return rises() ? falling() * (elapsed + 1.0) / rise() : falling();
  }

  double rise() const noexcept { return options.rise * static_cast<double>(options.horizon); }
  bool rises() const noexcept { return elapsed + 1.0 < rise(); }

  double falling() const noexcept { return remedy.multiple() * planned(); }

  double progress() const noexcept { return std::min(elapsed / static_cast<double>(options.horizon), 1.0); }

  // From 1 to 0.
  double above_floor() const noexcept {
    double const left = 1.0 - progress();
    if (options.shape == annealing::linear) return progress() <= options.hold ? 1.0 : left / (1.0 - options.hold);
    if (options.shape == annealing::adaptive && left < 0.5) {
      return standstill.stands_still() ? 2.0 * left * left : left;
    }
    return 0.5 * (1.0 + std::cos(std::numbers::pi * progress()));
  }

  double planned() const noexcept { return options.floor + (1.0 - options.floor) * above_floor(); }

  suggestion const& ask(suggestions& inner) {
    suggestion const& wanted = inner.ask();
    if (applied.empty()) begin(wanted.values.space());
    if (!axis) return wanted;
    out.values = wanted.values;
    ++out.number;
    out.events = std::exchange(news, event::none) | remedy.take_news();
    out.state = remedy.take_wishes();
    if (remedy.in_trial()) {
      out.values.assign(*axis, 0.0);
      out.why = reason::range_test;
      return out;
    }
    out.events |= wanted.events;
    // What is marked takes the place of what would be dropped, and is carried out before it.
    if (has(wanted.state, training_state::mark_trial)) out.state = without(out.state, training_state::drop_trial);
    out.state |= wanted.state;
    multiple = shape();
    if (std::exchange(shape_changed, false)) {
      catching_up = true;
      caught = 0.0;
    }
    out.values.assign(*axis, leashed(wanted.values[*axis]) * multiple);
    out.why = wanted.why == reason::hold && multiple < 1.0 ? reason::anneal : wanted.why;
    return out;
  }

  void begin(search_space const& space) {
    axis = space.find(options.parameter);
    if (!axis && options.parameter != usual_rate) {
      throw invalid_option(
          std::format("anneal: parameter = \"{}\"{}", options.parameter, unknown_name(space, options.parameter)));
    }
    if (axis && !std::holds_alternative<real>(space[*axis])) {
      throw invalid_option(std::format("anneal: parameter \"{}\" must be real", options.parameter));
    }
    applied.resize(space.size());
    box = unit_box(space.size());
  }

  void tell(observation const& seen, suggestions& inner) {
    if (remedy.in_trial()) return follow_trial(seen);
    // What a trial found is a peak, though the first steps of a run should rise to it.
    if (seen.relocated && options.horizon > 0) multiple = falling();
    bool const went_back = has(out.state, training_state::return_to_best);
    bool const rose = rises();
    advance(seen);
    if (!axis) {
      observation passed = seen;
      passed.number = 0;
      inner.tell(passed);
      return;
    }
    suggestion const& wanted = inner.ask();
    observation passed = seen;
    passed.number = 0;
    passed.steps += std::exchange(spent, 0.0);
    passed.relocated = std::exchange(moved, false) || seen.relocated || went_back;
    std::ranges::copy(applied_to(out, seen), applied.begin());
    // What ran as suggested is the inner tuner's own value; a division would lose its last bit, or its bound.
    double const ran = applied[*axis];
    double const suggested = leashed(wanted.values[*axis]);
    catching_up = catching_up && !seen.relocated && lags_behind(ran);
    bool const as_suggested = catching_up || ran == out.values[*axis] || multiple <= 0.0;
    applied[*axis] = as_suggested ? suggested : rose && ran == ran_before ? peak_before : ran / multiple;
    ran_before = ran;
    peak_before = applied[*axis];
    passed.applied = applied;
    follow_outside(seen.relocated, applied[*axis]);
    if (!seen.within.lower.empty() || !seen.within.upper.empty()) passed.within = peaks(seen.within);
    inner.tell(passed);
  }

  void fields(archive& a) {
    a.section("anneal");
    a(out)(multiple)(elapsed)(plateau_multiple)(plateau)(standstill);
    a(remedy)(spent)(moved)(anchor)(news);
    std::size_t horizon = options.horizon;
    a(horizon)(shape_changed)(catching_up)(caught)(ran_before)(peak_before);
    shape_changed = shape_changed || horizon != options.horizon;
  }

  // What runs below a shape that has jumped says nothing of the peak, as long as it does not turn down.
  bool lags_behind(double ran) noexcept {
    constexpr double nearly = 0.99;
    return ran < nearly * out.values[*axis] && ran >= nearly * std::exchange(caught, ran);
  }

  double leashed(double peak) const noexcept {
    return anchor > 0.0 ? std::clamp(peak, anchor / leash, anchor * leash) : peak;
  }

  // A peak below the leash was not the inner tuner's wish, but a remedy; one above may only be a step too short to
  // follow the shape.
  void follow_outside(bool relocated, double peak) noexcept {
    if (options.horizon == 0 || !(peak > 0.0)) return;
    if (relocated || peak < 0.99 * anchor / leash) anchor = peak;
  }

  void advance(observation const& seen) noexcept {
    bool const was_over = over();
    elapsed += seen.steps;
    if (over() && !was_over) news |= event::horizon_passed;
    remedy.observe(seen, elapsed);
    if (remedy.returns()) plateau.begin_afresh();
    if (!seen.usable()) return;
    if (options.horizon > 0) return standstill.add(seen.metric, progress());
    if (plateau.add(seen.metric, shortest_stretch(seen.covers))) {
      plateau_multiple = std::max(plateau_multiple * options.plateau_factor, options.floor);
    }
  }

  std::size_t shortest_stretch(coverage covers) const noexcept {
    return options.plateau_window.value_or(covers == coverage::epoch ? 5 : 100);
  }

  void follow_trial(observation const& seen) noexcept {
    elapsed += seen.steps;
    spent += seen.steps;
    moved = remedy.follow_trial(seen, elapsed) || moved;
  }

  // The reach belongs to the next suggestion, and so to the next multiple.
  reach peaks(reach const& outer) {
    search_space const& space = out.values.space();
    box.assign(space, outer);
    if (double const next = shape(); next > 0.0) {
      for (double* bound : {&box.lower[*axis], &box.upper[*axis]})
        *bound = space.to_unit(*axis, catching_up ? applied[*axis] : leashed(space.from_unit(*axis, *bound) / next));
    }
    return {box.lower, box.upper};
  }
};

void check_fraction(char const* key, double value) {
  if (!(value >= 0.0 && value <= 1.0)) {
    throw invalid_option(std::format("anneal: {} = {} must lie between 0 and 1", key, value));
  }
}

}  // namespace

anneal::anneal(anneal_options options, std::pmr::memory_resource* memory)
    : options_(std::move(options)), memory_(memory) {
  check_fraction("rise", options_.rise);
  check_fraction("hold", options_.hold);
  check_fraction("floor", options_.floor);
  if (!(options_.plateau_factor > 0.0 && options_.plateau_factor < 1.0)) {
    throw invalid_option(std::format("anneal: plateau_factor = {} must lie in (0, 1)", options_.plateau_factor));
  }
  if (!(options_.overfitting_factor > 0.0 && options_.overfitting_factor <= 1.0)) {
    throw invalid_option(
        std::format("anneal: overfitting_factor = {} must lie in (0, 1]", options_.overfitting_factor));
  }
  if (options_.plateau_window.value_or(2) < 2)
    throw invalid_option(std::format("anneal: plateau_window = {} must be at least 2", *options_.plateau_window));
}

suggestions anneal::operator()(suggestions inner) const {
  if (options_.shape == annealing::none) return inner;
  return drive(annealed{options_}, std::move(inner), memory_);
}

}  // namespace autotunenet
