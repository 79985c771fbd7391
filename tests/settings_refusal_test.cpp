#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstddef>
#include <string>

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

}  // namespace

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

TEST_CASE("a carriage return counts neither as a line nor as a column") {
  CHECK(refusal("[tuning]\r\nseed = true\r\n") ==
        "run.toml:2:8: [tuning] seed: true is a boolean; allowed: a whole number from 0 to 9223372036854775807");
}
