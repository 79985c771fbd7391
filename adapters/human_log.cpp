module;
#include <spdlog/logger.h>

#include <algorithm>
#include <cstddef>
#include <format>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../modules/printable.hpp"

module autotunenet.journal;

namespace autotunenet {

namespace {

constexpr event alarming = event::failed | event::rolled_back | event::backed_off | event::only_worse |
                           event::horizon_passed | event::not_located | event::overridden | event::no_learning_rate |
                           event::not_restorable | event::run_too_short | event::no_difference | event::marked_anew |
                           event::not_measured | event::rare_objective | event::far_horizon;
constexpr event noteworthy = alarming | event::clamped | event::cooldown_began | event::cooldown_ended |
                             event::warm_up_ended | event::range_test_began | event::range_test_ended | event::rebased |
                             event::overfitting | event::best_tried | event::best_kept;

spdlog::level::level_enum level_of(suggestion const& next, bool changed) {
  if (has(next.events, alarming)) return spdlog::level::warn;
  // A schedule that falls faster than steps may go is clamped at every one of them.
  bool const scheduled = next.why == reason::anneal;
  if (has(scheduled ? without(next.events, event::clamped) : next.events, noteworthy)) return spdlog::level::info;
  bool const steady = next.why == reason::anneal || next.why == reason::range_test;
  return changed && !steady ? spdlog::level::info : spdlog::level::debug;
}

std::string changes(configuration const& before, configuration const& now) {
  std::string text;
  for (std::size_t i = 0; i < now.size(); ++i) {
    bool const first = before.size() != now.size();
    if (!first && before[i] == now[i]) continue;
    text += std::format("{}{} ", text.empty() ? "" : ", ", name_of(now.space()[i]));
    text += first ? now.text(i) : std::format("{} -> {}", before.text(i), now.text(i));
  }
  return text.empty() ? std::string("no change") : text;
}

}  // namespace

human_log::human_log(std::shared_ptr<spdlog::logger> logger) : logger_(std::move(logger)) {
  if (!logger_) throw invalid_option("human_log: there is no logger");
}

void human_log::suggested(suggestion const& next) {
  try {
    write(next);
  } catch (...) {
    // A log line is not worth a training run.
  }
}

void human_log::write(suggestion const& next) {
  // A resumed run says where it goes on: what was shown before it is not what it comes from.
  bool const resumed = next.number != last_ && next.number != last_ + 1;
  last_ = next.number;
  if (resumed) {
    before_.clear();
    shown_ = {};
  }
  bool const changed = !std::ranges::equal(next.values.values(), before_);
  if (!changed && next.events == event::none) return;
  before_.assign(next.values.values().begin(), next.values.values().end());
  auto const level = resumed ? std::max(level_of(next, changed), spdlog::level::info) : level_of(next, changed);
  if (!logger_->should_log(level)) return;
  std::string text = std::format("{} {}: {}{}", next.number, to_string(next.why), resumed ? "goes on with " : "",
                                 changes(shown_, next.values));
  if (next.events != event::none) text += std::format(" ({})", describe(next.events));
  if (measured_) text += std::format(", last metric {:.6g}", metric_);
  shown_ = next.values;
  logger_->log(level, "{}", printable(text));
}

void human_log::observed(suggestion const&, observation const& seen) {
  if (seen.result == outcome::skipped) return;
  measured_ = true;
  metric_ = seen.metric;
}

}  // namespace autotunenet
