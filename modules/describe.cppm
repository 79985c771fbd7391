export module autotunenet:describe;

import autotunenet.standard;
import :trial;

export namespace autotunenet {

/// Every event there is, alone.
inline constexpr std::array all_events{
    event::clamped,        event::rolled_back,      event::backed_off,       event::cooldown_began,
    event::cooldown_ended, event::warm_up_ended,    event::range_test_began, event::range_test_ended,
    event::regressed,      event::failed,           event::became_good,      event::rebased,
    event::only_worse,     event::overfitting,      event::horizon_passed,   event::not_located,
    event::overridden,     event::no_learning_rate, event::not_restorable,   event::run_too_short,
    event::no_difference,  event::marked_anew,      event::not_measured,     event::rare_objective,
    event::far_horizon,    event::best_tried,       event::best_kept,
};

/// A single event in words: "rolled back".
std::string_view to_string(event one) noexcept;
std::string_view to_string(outcome) noexcept;
std::string_view to_string(coverage) noexcept;

/// All events in words, with a question where one helps: "rolled back, cooldown began"; empty for none.
std::string describe(event all);

/// The other way round, exactly as spelled by `to_string`.
std::optional<reason> reason_named(std::string_view) noexcept;
std::optional<event> event_named(std::string_view) noexcept;
std::optional<outcome> outcome_named(std::string_view) noexcept;
std::optional<coverage> coverage_named(std::string_view) noexcept;

}  // namespace autotunenet
