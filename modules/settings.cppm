export module autotunenet:settings;

import autotunenet.standard;
import :anneal;
import :every;
import :guard;
import :search_space;
import :smoothing;

export namespace autotunenet {

/// Which way the metric should go.
enum class goal : std::uint8_t { minimize, maximize };

enum class tuner_kind : std::uint8_t {
  bayesian,
  tpe,
  random,  ///< quasi-random
};

/// Which call of the training loop carries the metric that is tuned for: what one observation is.
enum class hook : std::uint8_t {
  first,  ///< whichever is called first with a metric
  step,
  epoch,
  validation,
};

/// As a settings file spells it.
std::string_view to_string(hook) noexcept;

/// The section [tuning].
struct tuning_settings {
  tuner_kind tuner = tuner_kind::bayesian;
  goal direction = goal::minimize;
  hook objective = hook::first;
  std::uint64_t seed = 0;
  /// Observations from one move of the tuner to the next. Not set: 20 where they cover training steps or the objective
  /// is `hook::step`, else 1.
  std::optional<std::size_t> tune_n_steps{};
  /// Observations that the run will have, each a call of the objective's hook with a metric; 0: not known.
  std::size_t horizon = 0;
  std::size_t steps_per_epoch = 0;  ///< training steps; 0: not known
  /// Warm-up lasts for both together. They are turned into observations by the objective: see `warm_up_observations`.
  std::size_t warmup_epochs = 0;
  std::size_t warmup_steps = 0;
  /// Warm-up also lasts until the smoothed metric is at least this good.
  std::optional<double> warmup_metric_threshold{};
  double max_delta = guard_options{}.max_delta;
  /// The parameter that is annealed, range-tested, and lowered where training is in trouble. Where parameters are
  /// declared by group, "lr" means "group0.lr" and the others too.
  std::string learning_rate = "lr";
  annealing anneal = annealing::adaptive;
  bool range_test = true;
};

/// The section [metrics].
struct metric_settings {
  std::size_t smoothing_window = smooth_options{}.window;
  averaging smoothing = averaging::window;
};

/// The section [stability].
struct stability_settings {
  /// Without it metrics are not judged. Failures still act, and bounds, max_delta and warm-up hold.
  bool enabled = true;
  double max_regression = guard_options{}.max_regression;
  std::optional<std::size_t> window = guard_options{}.window;
  std::optional<std::size_t> patience = guard_options{}.patience;
  std::optional<std::size_t> cooldown = guard_options{}.cooldown;
  double back_off = guard_options{}.back_off;
  rollback_scope rollback = guard_options{}.rollback;
};

/// All that a settings file says, in the file's own structure. What is left alone has its default.
///
///     settings const chosen{.parameters = search_space{real{"lr", 1e-5, 1e-1, scale::log}}, .tuning = {.seed = 7}};
struct settings {
  std::optional<search_space> parameters{};  ///< the section [parameters]; empty: the configuration to start with says
  tuning_settings tuning{};
  metric_settings metrics{};
  stability_settings stability{};
};

/// Throws `invalid_option`, which names section, key, value and what is allowed, unless every value is allowed.
void check(settings const&);

/// The section [parameters]. Throws `invalid_option`, which says what it should hold, where there is none.
search_space const& parameters_of(settings const&);

/// How many observations warm-up lasts at least. One observation is a training step where the objective is
/// `hook::step`, else an epoch. Throws `invalid_option` where that conversion lacks the objective or `steps_per_epoch`.
std::size_t warm_up_observations(settings const&);
stride tuning_stride(settings const&) noexcept;
/// The guard that the settings describe, for a pipeline put together by hand. Throws as `check`.
guard_options guard_from(settings const&);

/// A key of the settings file.
struct setting_row {
  std::string_view section;
  std::string_view key;
  std::string allowed;
  std::string preset;  ///< the default, as it would stand in a file; in words where there is none
  std::string_view meaning;
};

/// Every key, section by section. Keys of [parameters] stand for those of each parameter.
std::vector<setting_row> settings_reference();

}  // namespace autotunenet
