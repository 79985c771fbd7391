#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/folder.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;

namespace {

bool same(settings const& a, settings const& b) {
  if (a.parameters.has_value() != b.parameters.has_value()) return false;
  if (a.parameters && !(*a.parameters == *b.parameters)) return false;
  tuning_settings const &s = a.tuning, &t = b.tuning;
  stability_settings const &v = a.stability, &w = b.stability;
  return s.tuner == t.tuner && s.direction == t.direction && s.objective == t.objective && s.seed == t.seed &&
         s.tune_n_steps == t.tune_n_steps && s.horizon == t.horizon && s.steps_per_epoch == t.steps_per_epoch &&
         s.warmup_epochs == t.warmup_epochs && s.warmup_steps == t.warmup_steps &&
         s.warmup_metric_threshold == t.warmup_metric_threshold && s.max_delta == t.max_delta &&
         s.learning_rate == t.learning_rate && s.anneal == t.anneal && s.range_test == t.range_test &&
         a.metrics.smoothing_window == b.metrics.smoothing_window && a.metrics.smoothing == b.metrics.smoothing &&
         v.enabled == w.enabled && v.max_regression == w.max_regression && v.window == w.window &&
         v.patience == w.patience && v.cooldown == w.cooldown && v.back_off == w.back_off && v.rollback == w.rollback;
}

settings random_settings(std::mt19937_64& engine) {
  auto const below = [&](std::uint64_t n) { return engine() % n; };
  auto const unit = [&] { return static_cast<double>(engine() >> 11) * 0x1p-53; };
  auto const word = [&] {
    static std::vector<std::string> const words{"lr",    "group0.lr", "with space", "quo\"te", "back\\slash",
                                                "tab\t", "über",      "1",          "\x7f",    "a=b # c"};
    return words[below(words.size())];
  };
  settings s;
  if (below(8) > 0) {
    std::vector<parameter> all;
    for (std::uint64_t i = 0, count = 1 + below(5); i < count; ++i) {
      std::string const name = word() + std::to_string(i);
      double const low = unit() * 10.0 + 1e-300;
      auto const whole = static_cast<std::int64_t>(1 + below(1000));
      scale const spacing = below(2) ? scale::log : scale::linear;
      if (below(3) == 0)
        all.emplace_back(real{name, low, low * 3.0, spacing});
      else if (below(2) == 0)
        all.emplace_back(integer{name, whole, whole * 2 + 1, spacing});
      else
        all.emplace_back(categorical{name, {word(), unit(), -unit() * 1e200, 4.0}});
    }
    s.parameters.emplace(std::move(all));
  }
  s.tuning.tuner = static_cast<tuner_kind>(below(3));
  s.tuning.direction = static_cast<goal>(below(2));
  s.tuning.objective = static_cast<hook>(1 + below(3));
  s.tuning.seed = below(std::uint64_t{1} << 63);
  if (below(2)) s.tuning.tune_n_steps = 1 + below(1000);
  s.tuning.horizon = below(100000);
  s.tuning.steps_per_epoch = 1 + below(1000);
  s.tuning.warmup_epochs = below(5);
  s.tuning.warmup_steps = below(100);
  if (below(2)) s.tuning.warmup_metric_threshold = unit() * 2.0 - 1.0;
  s.tuning.max_delta = unit() + 1e-12;
  if (!s.parameters || below(2))
    s.tuning.learning_rate = name_of(s.parameters ? (*s.parameters)[0] : parameter{real{"x"}});
  else
    s.tuning.learning_rate = name_of((*s.parameters)[s.parameters->size() - 1]);
  s.tuning.anneal = static_cast<annealing>(below(3));
  s.tuning.range_test = below(2) == 0;
  s.metrics.smoothing_window = 1 + below(4096);
  s.metrics.smoothing = static_cast<averaging>(below(2));
  s.stability.enabled = below(2) == 0;
  s.stability.max_regression = unit() * 1e-7;
  s.stability.window = 1 + below(4096);
  s.stability.patience = 1 + below(50);
  s.stability.cooldown = below(50);
  s.stability.back_off = 0.001 + 0.99 * unit();
  return s;
}

}  // namespace

TEST_CASE("settings without a learning rate are written and read again") {
  settings const read = parse_settings("[parameters]\nmomentum = { min = 0.1, max = 0.9 }\n");
  CHECK(parse_settings(to_toml(read)).parameters == read.parameters);
  CHECK(to_toml(parse_settings(to_toml(read))) == to_toml(read));
}

TEST_CASE("a settings file takes effect in every section, whatever their order") {
  settings const s = parse_settings(R"(
[stability]
cooldown = 17
patience = 4
max_regression = 0.15
window = 9
back_off = 0.3
rollback = "hyperparameters"
enabled = false

[metrics]
smoothing = "exponential"
smoothing_window = 8

[tuning]
seed = 42
tuner = "tpe"
direction = "max"
objective = "step"
tune_n_steps = 5
horizon = 1000
steps_per_epoch = 50
warmup_epochs = 2
warmup_steps = 10
warmup_metric_threshold = 0.5
max_delta = 0.25
learning_rate = "lr"
anneal = "linear"
range_test = false

[parameters]
lr = { min = 1e-4, max = 1e-1, scale = "log" }
)");
  REQUIRE(s.parameters);
  CHECK(*s.parameters == search_space{real{"lr", 1e-4, 1e-1, scale::log}});
  CHECK(s.tuning.seed == 42);
  CHECK(s.tuning.tuner == tuner_kind::tpe);
  CHECK(s.tuning.direction == goal::maximize);
  CHECK(s.tuning.objective == hook::step);
  CHECK(s.tuning.tune_n_steps == std::optional<std::size_t>{5});
  CHECK(s.tuning.horizon == 1000);
  CHECK(s.tuning.steps_per_epoch == 50);
  CHECK(s.tuning.warmup_epochs == 2);
  CHECK(s.tuning.warmup_steps == 10);
  CHECK(s.tuning.warmup_metric_threshold == std::optional{0.5});
  CHECK(s.tuning.max_delta == 0.25);
  CHECK(s.tuning.anneal == annealing::linear);
  CHECK_FALSE(s.tuning.range_test);
  CHECK(s.metrics.smoothing_window == 8);
  CHECK(s.metrics.smoothing == averaging::exponential);
  CHECK_FALSE(s.stability.enabled);
  CHECK(s.stability.max_regression == 0.15);
  CHECK(s.stability.window == 9);
  CHECK(s.stability.patience == 4);
  CHECK(s.stability.cooldown == 17);
  CHECK(s.stability.back_off == 0.3);
  CHECK(s.stability.rollback == rollback_scope::hyperparameters);
  guard_options const guard = guard_from(s);
  CHECK(guard.warm_up == 110);
  CHECK(guard.warm_up_metric == -0.5);
  CHECK(guard.patience == 4);
}

TEST_CASE("every key that the reference names can be set") {
  for (setting_row const& row : settings_reference()) {
    if (row.section == "parameters") continue;
    std::string value = row.preset;
    bool const in_words = value.find(' ') != std::string::npos;
    if (in_words) value = "2";
    CAPTURE(row.section, row.key, value);
    CHECK_NOTHROW(parse_settings("[" + std::string(row.section) + "]\n" + std::string(row.key) + " = " + value));
  }
}

TEST_CASE("parameters of every kind are declared in the file's order") {
  settings const s = parse_settings(R"([parameters]
momentum = { min = 0, max = 0.99 }
batch = { min = 16, max = 256, type = "integer", scale = "log" }
activation = { choices = ["relu", "tanh"] }
depth = { choices = [1, 2.5, "auto"], type = "categorical" }
"group0.lr" = { min = 1e-4, max = 1, scale = "log" }
bias = { min = -1, max = 1, type = "real" }
[parameters.alpha]
min = 0.5
max = 0.9
)");
  REQUIRE(s.parameters);
  CHECK(*s.parameters ==
        search_space{real{"momentum", 0.0, 0.99}, integer{"batch", 16, 256, scale::log},
                     categorical{"activation", {"relu", "tanh"}}, categorical{"depth", {1.0, 2.5, "auto"}},
                     real{"group0.lr", 1e-4, 1.0, scale::log}, real{"bias", -1.0, 1.0}, real{"alpha", 0.5, 0.9}});
}

TEST_CASE("a whole number is good where a real one is expected") {
  CHECK(parse_settings("[tuning]\nmax_delta = 2\nwarmup_metric_threshold = -1\n").tuning.max_delta == 2.0);
}

TEST_CASE("an empty text means the defaults, a byte order mark and carriage returns nothing") {
  CHECK(same(parse_settings(""), settings{}));
  CHECK(same(parse_settings("# nothing\n"), settings{}));
  CHECK(parse_settings("\xEF\xBB\xBF[tuning]\r\nseed = 5\r\n").tuning.seed == 5);
}

TEST_CASE("any truncation of a good file is read or refused, never worse") {
  std::mt19937_64 engine(3);
  std::string const text = to_toml(random_settings(engine));
  for (std::size_t length = 0; length < text.size(); ++length) {
    try {
      (void)parse_settings(text.substr(0, length));
    } catch (settings_error const&) {
    }
  }
  SUCCEED();
}

TEST_CASE("random garbage and damaged files are read or refused, never worse") {
  std::mt19937_64 engine(4);
  for (int round = 0; round < 2000; ++round) {
    std::string text = to_toml(random_settings(engine));
    for (int damage = 0; damage < 3; ++damage) text[engine() % text.size()] = static_cast<char>(engine());
    try {
      (void)parse_settings(text);
    } catch (settings_error const&) {
    }
  }
  SUCCEED();
}

TEST_CASE("random settings survive being written and read") {
  std::mt19937_64 engine(1);
  for (int round = 0; round < 500; ++round) {
    settings const s = random_settings(engine);
    std::string const text = to_toml(s);
    CAPTURE(text);
    REQUIRE(same(s, parse_settings(text)));
    REQUIRE(to_toml(parse_settings(text)) == text);
  }
}

TEST_CASE("settings that a file cannot hold are not written") {
  settings s;
  s.tuning.seed = std::numeric_limits<std::uint64_t>::max();
  CHECK_THROWS_AS(to_toml(s), invalid_option);
  s = {.parameters = search_space{real{"\xff", 0.0, 1.0}}};
  CHECK_THROWS_AS(to_toml(s), invalid_option);
}

TEST_CASE("a file is read by its path, and its name stands in every message") {
  test::folder const place;
  std::ofstream(place / "good.toml") << "[tuning]\nseed = 9\n";
  std::ofstream(place / "bad.toml") << "[tuning]\nsede = 9\n";
  CHECK(read_settings(place / "good.toml").tuning.seed == 9);
  std::string const bad = (place / "bad.toml").string();
  CHECK_THROWS_MATCHES(read_settings(bad), settings_error,
                       Catch::Matchers::Message(bad + ":2:1: [tuning] \"sede\": unknown key; did you mean \"seed\"?"));
  std::string const none = (place / "none.toml").string();
  CHECK_THROWS_MATCHES(read_settings(none), settings_error,
                       Catch::Matchers::Message(none + ": cannot be opened: No such file or directory"));
  CHECK_THROWS_MATCHES(read_settings(place.path()), settings_error,
                       Catch::Matchers::Message(place.path().string() + ": is a folder, not a settings file"));
  CHECK_THROWS_MATCHES(read_settings("/dev/zero"), settings_error,
                       Catch::Matchers::MessageMatches(ContainsSubstring("too large")));
}
