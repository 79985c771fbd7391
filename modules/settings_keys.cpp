module;
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <format>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

module autotunenet;

import :pace;
import :settings_keys;

namespace autotunenet {

namespace {

template <class Member>
struct stored {
  static setting_value read(Member const& from) {
    if constexpr (std::is_enum_v<Member>)
      return static_cast<std::uint64_t>(from);
    else if constexpr (std::is_integral_v<Member> && !std::is_same_v<Member, bool>)
      return static_cast<std::uint64_t>(from);
    else
      return from;
  }
  static void write(Member& to, setting_value const& value) {
    if constexpr (std::is_same_v<Member, bool> || std::is_same_v<Member, double> || std::is_same_v<Member, std::string>)
      to = std::get<Member>(value);
    else
      to = static_cast<Member>(std::get<std::uint64_t>(value));
  }
};

template <class Member>
struct stored<std::optional<Member>> {
  static setting_value read(std::optional<Member> const& from) {
    return from ? stored<Member>::read(*from) : setting_value{};
  }
  static void write(std::optional<Member>& to, setting_value const& value) {
    if (std::holds_alternative<std::monostate>(value))
      to.reset();
    else
      stored<Member>::write(to.emplace(), value);
  }
};

template <auto Section, auto Member>
setting_value get(settings const& from) {
  auto const& member = from.*Section.*Member;
  return stored<std::remove_cvref_t<decltype(member)>>::read(member);
}
template <auto Section, auto Member>
void set(settings& to, setting_value const& value) {
  auto& member = to.*Section.*Member;
  stored<std::remove_cvref_t<decltype(member)>>::write(member, value);
}

template <auto Member>
constexpr setting_key tuning(std::string_view name, setting_kind kind, std::string_view meaning) {
  return {"tuning", name, kind, meaning, &get<&settings::tuning, Member>, &set<&settings::tuning, Member>};
}
template <auto Member>
constexpr setting_key metrics(std::string_view name, setting_kind kind, std::string_view meaning) {
  return {"metrics", name, kind, meaning, &get<&settings::metrics, Member>, &set<&settings::metrics, Member>};
}
template <auto Member>
constexpr setting_key stability(std::string_view name, setting_kind kind, std::string_view meaning) {
  return {"stability", name, kind, meaning, &get<&settings::stability, Member>, &set<&settings::stability, Member>};
}

constexpr setting_key limited(setting_key key, whole_limits limits) {
  key.whole = limits;
  return key;
}
constexpr setting_key limited(setting_key key, number_limits limits) {
  key.number = limits;
  return key;
}
constexpr setting_key among(setting_key key, std::span<setting_choice const> choices) {
  key.choices = choices;
  return key;
}
constexpr setting_key else_means(setting_key key, std::string (*unset)()) {
  key.unset = unset;
  return key;
}

std::string not_asked_for() { return "not asked for"; }
std::string usual_stride() {
  stride const usual = tuning_stride({});
  return std::format("{}, or {} where observations are of epochs", usual.of_steps, usual.of_epochs);
}
template <auto Count>
std::string usual_count() {
  return std::format("{}, or {} where observations are of epochs", pace_of({}, false).*Count, pace_of({}, true).*Count);
}

template <class Enum>
constexpr setting_choice named(std::string_view name, Enum value) {
  return {name, static_cast<std::uint64_t>(value)};
}

constexpr std::array tuners{named("bayesian", tuner_kind::bayesian), named("tpe", tuner_kind::tpe),
                            named("random", tuner_kind::random)};
constexpr std::array directions{named("minimize", goal::minimize), named("maximize", goal::maximize),
                                named("min", goal::minimize), named("max", goal::maximize)};
constexpr std::array objectives{named("first", hook::first), named("step", hook::step), named("epoch", hook::epoch),
                                named("validation", hook::validation)};
constexpr std::array shapes{named("adaptive", annealing::adaptive), named("cosine", annealing::cosine),
                            named("linear", annealing::linear), named("none", annealing::none)};
constexpr std::array averages{named("window", averaging::window), named("exponential", averaging::exponential)};
constexpr std::array scopes{named("full", rollback_scope::full),
                            named("hyperparameters", rollback_scope::hyperparameters)};

using enum setting_kind;

constexpr std::array table{
    among(tuning<&tuning_settings::tuner>("tuner", choice, "What suggests the next configuration."), tuners),
    among(tuning<&tuning_settings::direction>("direction", choice, "Which way the metric should go."), directions),
    among(
        tuning<&tuning_settings::objective>("objective", choice,
                                            "The hook whose metric is tuned for; each of its calls is an observation. "
                                            "\"first\": whichever is called first."),
        objectives),
    limited(tuning<&tuning_settings::seed>("seed", whole, "The same seed and observations give the same suggestions."),
            whole_limits{.max = 9'223'372'036'854'775'807}),
    else_means(limited(tuning<&tuning_settings::tune_n_steps>("tune_n_steps", whole,
                                                              "Observations from one move of the tuner to the next."),
                       whole_limits{.min = 1}),
               usual_stride),
    tuning<&tuning_settings::horizon>(
        "horizon", whole,
        "Observations that the run will have, each a call of the objective's hook with a metric; 0: not known. It "
        "counts "
        "training steps where steps are told, epochs or validations where those alone are."),
    tuning<&tuning_settings::steps_per_epoch>("steps_per_epoch", whole, "Training steps in an epoch; 0: not known."),
    tuning<&tuning_settings::warmup_epochs>(
        "warmup_epochs", whole,
        "Epochs before anything but trials of the learning rate is changed, and anything judged."),
    tuning<&tuning_settings::warmup_steps>("warmup_steps", whole, "The same in training steps, beside the epochs."),
    else_means(
        tuning<&tuning_settings::warmup_metric_threshold>(
            "warmup_metric_threshold", number, "Warm-up also lasts until the smoothed metric is at least this good."),
        not_asked_for),
    limited(tuning<&tuning_settings::max_delta>(
                "max_delta", number, "The largest step of one suggestion, as a fraction of the value before."),
            number_limits{.above = 0.0}),
    tuning<&tuning_settings::learning_rate>(
        "learning_rate", word,
        "The parameter that is annealed, range-tested, and lowered when training is in trouble."),
    among(tuning<&tuning_settings::anneal>(
              "anneal", choice,
              "The shape by which the learning rate falls, over the horizon or by plateaus; it first rises, for 2 % "
              "of a horizon."),
          shapes),
    tuning<&tuning_settings::range_test>(
        "range_test", flag,
        "Find the learning rate by trials first, undone afterwards, where the trainer can put its state back."),
    limited(metrics<&metric_settings::smoothing_window>("smoothing_window", whole,
                                                        "Metrics averaged before the tuner sees them."),
            whole_limits{.min = 1, .max = 4096}),
    among(metrics<&metric_settings::smoothing>("smoothing", choice, "How those metrics weigh in the average."),
          averages),
    stability<&stability_settings::enabled>("enabled", flag,
                                            "Whether metrics are judged; failures (NaN, infinity) act all the same."),
    limited(
        stability<&stability_settings::max_regression>(
            "max_regression", number, "The fraction of what was gained that may be lost before it is a regression."),
        number_limits{.least = 0.0}),
    else_means(
        limited(stability<&stability_settings::window>("window", whole, "Metrics averaged for the regression test."),
                whole_limits{.min = 1, .max = 4096}),
        usual_count<&pace::window>),
    else_means(
        limited(stability<&stability_settings::patience>("patience", whole, "Regressions in a row before a rollback."),
                whole_limits{.min = 1}),
        usual_count<&pace::patience>),
    else_means(stability<&stability_settings::cooldown>("cooldown", whole,
                                                        "Observations after a rollback before the next one."),
               usual_count<&pace::cooldown>),
    limited(stability<&stability_settings::back_off>(
                "back_off", number, "What the learning rate is multiplied by where no good configuration is known."),
            number_limits{.above = 0.0, .below = 1.0}),
    among(stability<&stability_settings::rollback>(
              "rollback", choice, "What goes back: values and, where the trainer can, its state; or values alone."),
          scopes),
};

constexpr std::array parameter_table{
    parameter_key{"min", "a finite number", "needed", "The lower bound; a whole number where type is \"integer\"."},
    parameter_key{"max", "a finite number above min", "needed", "The upper bound."},
    parameter_key{"scale", "\"linear\" or \"log\"", "\"linear\"",
                  "How distance is measured: by difference or by ratio (min above 0)."},
    parameter_key{"type", "\"real\", \"integer\" or \"categorical\"", "\"real\"; needed where min and max are whole",
                  "What lies between the bounds."},
    parameter_key{"choices", "a list of numbers and words", "none",
                  "The categories of a parameter that has no bounds."},
};

std::string joined(std::span<setting_choice const> choices) {
  std::string text;
  for (setting_choice const& c : choices) text += std::format("{}\"{}\"", text.empty() ? "" : ", ", c.name);
  return text;
}

}  // namespace

std::span<setting_key const> setting_keys() noexcept { return table; }
std::span<parameter_key const> parameter_keys() noexcept { return parameter_table; }

std::string_view to_string(hook which) noexcept {
  auto const at = std::ranges::find(objectives, static_cast<std::uint64_t>(which), &setting_choice::value);
  return at == objectives.end() ? "unknown" : at->name;
}

std::string allowed_text(setting_key const& key) {
  switch (key.kind) {
    case flag:
      return "true or false";
    case whole:
      return std::format("a whole number from {} to {}", key.whole.min, key.whole.max);
    case number: {
      std::string text = "a finite number";
      if (key.number.least) text += std::format(", at least {}", *key.number.least);
      if (key.number.above) text += std::format(" above {}", *key.number.above);
      if (key.number.below) text += std::format(" and below {}", *key.number.below);
      return text;
    }
    case choice:
      return "one of " + joined(key.choices);
    case word:
      return "a string that is not empty";
  }
  return {};
}

bool within_limits(setting_key const& key, setting_value const& value) noexcept {
  if (std::holds_alternative<std::monostate>(value)) return key.unset != nullptr;
  if (key.kind == whole) {
    std::uint64_t const* n = std::get_if<std::uint64_t>(&value);
    return n && *n >= key.whole.min && *n <= key.whole.max;
  }
  if (key.kind == choice) {
    std::uint64_t const* n = std::get_if<std::uint64_t>(&value);
    return n && std::ranges::any_of(key.choices, [&](setting_choice const& c) { return c.value == *n; });
  }
  if (key.kind == number) {
    double const* x = std::get_if<double>(&value);
    number_limits const& limits = key.number;
    return x && std::isfinite(*x) && (!limits.least || *x >= *limits.least) && (!limits.above || *x > *limits.above) &&
           (!limits.below || *x < *limits.below);
  }
  std::string const* text = std::get_if<std::string>(&value);
  return key.kind == flag || (text && !text->empty());
}

std::string written(double number) {
  std::string text = std::format("{}", number);
  if (std::isfinite(number) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char const c : text) {
    auto const byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (byte < 0x20 || byte == 0x7f)
      out += std::format("\\u{:04X}", byte);
    else
      out += c;
  }
  return out + '"';
}

std::string written(setting_key const& key, setting_value const& value) {
  if (bool const* on = std::get_if<bool>(&value)) return *on ? "true" : "false";
  if (double const* x = std::get_if<double>(&value)) return written(*x);
  if (std::string const* text = std::get_if<std::string>(&value)) return quoted(*text);
  if (std::uint64_t const* n = std::get_if<std::uint64_t>(&value)) {
    if (key.kind != choice) return std::format("{}", *n);
    auto const at = std::ranges::find(key.choices, *n, &setting_choice::value);
    return at == key.choices.end() ? std::format("{}", *n) : std::format("\"{}\"", at->name);
  }
  return key.unset ? key.unset() : std::string();
}

}  // namespace autotunenet
