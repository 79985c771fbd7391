#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "support/folder.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

std::string refusal(std::string const& text) {
  try {
    (void)parse_settings(text, "run.toml");
  } catch (settings_error const& error) {
    return error.what();
  }
  return "accepted";
}

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
    CHECK(refusal("[" + std::string(row.section) + "]\n" + std::string(row.key) + " = " + value) == "accepted");
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

TEST_CASE("a list of two numbers is neither a range nor two categories, and both are spelled out") {
  CHECK(refusal("[parameters]\nlr = [1e-4, 1e-1]\n") ==
        "run.toml:2:6: [parameters] lr: [1e-04, 0.1] is a list; a range is written { min = 1e-04, max = 0.1 }, "
        "categories are written { choices = [1e-04, 0.1] }");
  CHECK(refusal("[parameters]\nactivation = [\"relu\", \"tanh\"]\n") ==
        "run.toml:2:14: [parameters] activation: [\"relu\", \"tanh\"] is a list; categories are written "
        "{ choices = [\"relu\", \"tanh\"] }");
}

TEST_CASE("whole bounds without a type may mean two things, and are refused") {
  CHECK(refusal("[parameters]\nbatch = { min = 16, max = 256 }\n") ==
        "run.toml:2:1: [parameters] batch: min = 16 and max = 256 are both whole, so say which is meant: "
        "type = \"integer\" or type = \"real\"");
}

TEST_CASE("typical slips are answered with the place, the value and what is allowed") {
  CHECK(refusal("[stability]\npatiense = 3\n") ==
        "run.toml:2:1: [stability] \"patiense\": unknown key; did you mean \"patience\"?");
  CHECK(refusal("[tunning]\nseed = 1\n") == "run.toml:1:2: unknown section \"tunning\"; did you mean \"tuning\"?");
  CHECK(refusal("[tuning]\n\n  patience = 3\n") ==
        "run.toml:3:3: [tuning] \"patience\": unknown key; it belongs to [stability]");
  CHECK(refusal("seed = 3\n") == "run.toml:1:1: key outside of any section: \"seed\"; it belongs to [tuning]");
  CHECK(refusal("[stability]\npatience = 3.0\n") ==
        "run.toml:2:12: [stability] patience: 3.0 is a real number; allowed: a whole number from 1 to 1000000000");
  CHECK(refusal("[stability]\npatience = \"3\"\n") ==
        "run.toml:2:12: [stability] patience: \"3\" is a string; allowed: a whole number from 1 to 1000000000");
  CHECK(refusal("[stability]\npatience = 0\n") ==
        "run.toml:2:12: [stability] patience: 0 is not allowed; allowed: a whole number from 1 to 1000000000");
  CHECK(refusal("[tuning]\nseed = -1\n") ==
        "run.toml:2:8: [tuning] seed: -1 is not allowed; allowed: a whole number from 0 to 9223372036854775807");
  CHECK(refusal("[tuning]\nmax_delta = nan\n") ==
        "run.toml:2:13: [tuning] max_delta: nan is not allowed; allowed: a finite number above 0");
  CHECK(refusal("[stability]\nmax_regression = inf\n") ==
        "run.toml:2:18: [stability] max_regression: inf is not allowed; allowed: a finite number, at least 0");
  CHECK(refusal("[tuning]\ndirection = \"maximise\"\n") ==
        "run.toml:2:13: [tuning] direction: \"maximise\" is not known; did you mean \"maximize\"?");
  CHECK(refusal("[tuning]\nrange_test = 1\n") ==
        "run.toml:2:14: [tuning] range_test: 1 is a whole number; allowed: true or false");
  CHECK(refusal("[tuning]\nseed = 1979-05-27\n") ==
        "run.toml:2:8: [tuning] seed: the value is a date or time; allowed: a whole number from 0 to "
        "9223372036854775807");
  CHECK(refusal("tuning = 3\n") == "run.toml:1:1: tuning is a whole number; it is a section: [tuning]");
  CHECK(refusal("[tuning]\nwarmup_epochs = 2\nobjective = \"step\"\n") ==
        "run.toml:2:1: [tuning] warmup_epochs: 2 epochs with objective = \"step\" cannot be counted; set "
        "steps_per_epoch");
  CHECK(refusal("[tuning]\nlearning_rate = \"lr\"\n[parameters]\nrl = { min = 0.1, max = 0.2 }\n") ==
        "run.toml:2:1: [tuning] learning_rate: \"lr\" is not among the parameters; did you mean \"rl\"?");
}

TEST_CASE("a whole number is good where a real one is expected") {
  CHECK(parse_settings("[tuning]\nmax_delta = 2\nwarmup_metric_threshold = -1\n").tuning.max_delta == 2.0);
}

TEST_CASE("parameters that cannot be are answered with the place and the reason") {
  auto const of = [](std::string const& value) { return refusal("[parameters]\nlr = " + value + "\n"); };
  std::string const lr = "[parameters] lr: ";
  CHECK(of("0.1") == "run.toml:2:6: " + lr +
                         "0.1 is a real number; a range is written { min = 1e-4, max = 0.1 }, categories { choices = "
                         "[...] }");
  CHECK(of("{}") ==
        "run.toml:2:1: " + lr +
            "the table is empty; a range is written { min = 1e-4, max = 0.1 }, categories { choices = [...] }");
  CHECK(of("{ min = 0.1 }") == "run.toml:2:1: " + lr +
                                   "max is missing; a range is written { min = 1e-4, max = 0.1 }, categories { choices "
                                   "= [...] }");
  CHECK(of("{ min = 0.2, max = 0.1 }") == "run.toml:2:1: " + lr + "min = 0.2 must be below max = 0.1");
  CHECK(of("{ min = 0.0, max = 0.1, scale = \"log\" }") ==
        "run.toml:2:1: " + lr + "min = 0 must be above 0 on a log scale");
  CHECK(of("{ min = 0.1, max = inf }") == "run.toml:2:25: " + lr + "max = inf is not finite; allowed: a finite number");
  CHECK(of("{ min = \"a\", max = 1.0 }") ==
        "run.toml:2:14: " + lr + "min = \"a\" is a string; allowed: a finite number");
  CHECK(of("{ min = 0.1, max = 1.0, scale = \"lgo\" }") ==
        "run.toml:2:38: " + lr + "scale = \"lgo\" is not known; did you mean \"log\"?");
  CHECK(of("{ min = 0.1, max = 1.0, scale = 10 }") ==
        "run.toml:2:38: " + lr + "scale = 10 is a whole number; allowed: one of \"linear\", \"log\"");
  CHECK(of("{ min = 0.1, max = 1.0, scael = \"log\" }") ==
        "run.toml:2:30: " + lr + "unknown key \"scael\"; did you mean \"scale\"?");
  CHECK(of("{ min = 1.0, max = 8, type = \"integer\" }") ==
        "run.toml:2:14: " + lr + "min = 1.0 is a real number; with type = \"integer\" allowed: a whole number");
  CHECK(of("{ choices = [] }") ==
        "run.toml:2:18: " + lr + "choices = []; allowed: a list of 1 to 1024 numbers and words");
  CHECK(of("{ choices = [1, true] }") ==
        "run.toml:2:22: " + lr + "a choice = true is a boolean; allowed: a finite number or a word");
  CHECK(of("{ choices = [1, 2, 1] }") == "run.toml:2:1: " + lr + "choice 1 appears twice");
  CHECK_THAT(of("{ choices = [1], min = 0.5 }"), ContainsSubstring("choices have neither min and max nor scale"));
  CHECK_THAT(of("{ min = 1, max = 9007199254740993, type = \"integer\" }"),
             ContainsSubstring("max = 9007199254740993; allowed: whole numbers within 2^53 of zero"));
  CHECK(refusal("[parameters]\ngroup0.lr = { min = 0.1, max = 0.2 }\n") ==
        "run.toml:2:8: [parameters] group0: \"lr\" is a table; a name with a dot is written in quotes: \"group0.lr\" = "
        "{ ... }");
  CHECK(refusal("[parameters]\n") == "run.toml:1:1: [parameters]: holds 0 parameters; allowed: 1 to 1024");
}

TEST_CASE("all problems are told at once, in the file's order, ten at most") {
  std::string const text = "[stability]\npatience = 0\nb = 1\n[parameters]\nlr = 3\n[tuning]\nseed = 0.5\n";
  try {
    (void)parse_settings(text, "run.toml");
    FAIL("accepted");
  } catch (settings_error const& error) {
    CHECK(error.file() == "run.toml");
    REQUIRE(error.problems().size() == 4);
    std::size_t const lines[] = {2, 3, 5, 7}, columns[] = {12, 1, 6, 8};
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(error.problems()[i].line == lines[i]);
      CHECK(error.problems()[i].column == columns[i]);
    }
    CHECK_THAT(std::string(error.what()), ContainsSubstring("\nrun.toml:3:1: [stability] \"b\""));
  }
  std::string many = "[tuning]\n";
  for (int i = 0; i < 100000; ++i) many += "k" + std::to_string(i) + "=1\n";
  try {
    (void)parse_settings(many);
    FAIL("accepted");
  } catch (settings_error const& error) {
    CHECK(error.problems().size() == 10);
    CHECK(error.problems().front().line == 2);
  }
}

TEST_CASE("an empty text means the defaults, a byte order mark and carriage returns nothing") {
  CHECK(same(parse_settings(""), settings{}));
  CHECK(same(parse_settings("# nothing\n"), settings{}));
  CHECK(parse_settings("\xEF\xBB\xBF[tuning]\r\nseed = 5\r\n").tuning.seed == 5);
  CHECK(refusal("[tuning]\r\nseed = true\r\n") ==
        "run.toml:2:8: [tuning] seed: true is a boolean; allowed: a whole number from 0 to 9223372036854775807");
}

TEST_CASE("text that is no TOML is refused with its place") {
  std::string const nul("[tuning]\nseed = \0 1\n", 19);
  for (std::string const& text :
       {std::string("[tuning"), std::string("[tuning]\nseed = \n"), std::string("[tuning]\nseed = 1\nseed = 2\n"),
        std::string("[tuning]\n[tuning]\n"), std::string("\xff\xfe\x00\x01", 4), nul, std::string("seed = \"open"),
        std::string("[tuning]\nseed = 99999999999999999999\n"), std::string("[tuning]\nmax_delta = 1e999\n"),
        std::string("[parameters]\nlr = { min = 1e-4, max = 1e-1\n"),
        std::string("\x7f"
                    "ELF\x02\x01\x01")}) {
    CAPTURE(text);
    CHECK_THAT(refusal(text), StartsWith("run.toml:"));
  }
  CHECK(refusal("[tuning]\nseed = 1\nseed = 2\n") ==
        "run.toml:3:8: Error while parsing key-value pair: cannot redefine existing integer 'seed'");
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

TEST_CASE("nesting bombs are refused before they can exhaust the stack") {
  auto const refused = [](std::string const& text) {
    CHECK_THAT(refusal(text), ContainsSubstring("nested too deeply"));
  };
  auto const repeated = [](std::string const& part, std::size_t times) {
    std::string text;
    for (std::size_t i = 0; i < times; ++i) text += part;
    return text;
  };
  refused(repeated("a.", 500000) + "a = 1\n");
  refused("[" + repeated("a.", 500000) + "a]\n");
  refused(repeated("\"\".", 300000) + "a = 1\n");
  refused(repeated("\"=\".'#'.", 100000) + "a = 1\n");
  refused("x = " + repeated("[", 500000));
  refused("x = " + repeated("{a=", 200000));
  refused("x = \"\"\"\n'\"\"\"\n" + repeated("a.", 400000) + "a = 1\n");
  refused("x = \"\"\"\\\"\"\"\"\"\"\n" + repeated("a.", 400000) + "a = 1\n");
  refused("x = '''\n''''''' \n" + repeated("a.", 400000) + "a = 1\n");
  refused("x = { b = \"#\", " + repeated("a.", 400000) + "a = 1 }\n");
  CHECK(refusal("# " + repeated(". ", 1000) + "\n[tuning]\nseed = 1\n") == "accepted");
  CHECK(refusal("[parameters]\nx = { choices = [" +
                repeated("\"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z\",", 1) + repeated("0.5", 1) +
                "] }\n") == "accepted");
}

TEST_CASE("hostile text cannot fill or command the terminal") {
  std::string const message = refusal("[tuning]\n\"\\u001b[31m" + std::string(100000, 'x') + "\" = 1\n");
  CHECK(message.find('\x1b') == std::string::npos);
  CHECK(message.size() < 1000);
  CHECK(refusal("[tuning]\n\"a\\u009bz\" = 1\n").starts_with("run.toml:2:1: [tuning] \"a\\u009Bz\": unknown key"));
  std::string const choice = refusal("[parameters]\nx = { choices = [\"\\u001b\", \"\\u001b\"] }\n");
  CHECK(choice.find('\x1b') == std::string::npos);
  CHECK_THAT(choice, ContainsSubstring("appears twice"));
}

TEST_CASE("sizes are bounded") {
  CHECK_THAT(refusal(std::string((1 << 20) + 1, '\n')), ContainsSubstring("too large"));
  CHECK(refusal(std::string(1 << 20, '\n')) == "accepted");
  std::string many = "[parameters]\n";
  for (int i = 0; i < 1025; ++i) many += "p" + std::to_string(i) + " = { min = 0.1, max = 0.2 }\n";
  CHECK_THAT(refusal(many), ContainsSubstring("holds 1025 parameters; allowed: 1 to 1024"));
  CHECK_THAT(refusal("[parameters]\n" + std::string(257, 'p') + " = { min = 0.1, max = 0.2 }\n"),
             ContainsSubstring("a name must have 1 to 256 characters"));
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
