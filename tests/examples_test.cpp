#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "support/folder.hpp"
#include "support/program.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;

std::string const examples = AUTOTUNENET_EXAMPLE_PROGRAMS;
std::string const sources = AUTOTUNENET_SOURCES;

std::string content(std::filesystem::path const& file) {
  std::ifstream from(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(from), {}};
}

std::size_t count(std::string const& text, std::string const& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

// The number behind the last occurrence of a word.
double last_number(std::string const& text, std::string const& word) {
  auto const at = text.rfind(word);
  REQUIRE(at != std::string::npos);
  return std::stod(text.substr(at + word.size()));
}

// A run of two epochs on few images.
test::ended small_main_job(std::vector<std::string> more, std::string const& until = {}, int signal = 0) {
  std::vector<std::string> flags{"--images", "720", "--batch", "16", "--seed", "3"};
  flags.insert(flags.end(), more.begin(), more.end());
  return test::run(examples + "/fashion_mnist", flags, until, signal);
}

std::vector<std::filesystem::path> files_in(std::filesystem::path const& folder) {
  return {std::filesystem::directory_iterator(folder), {}};
}

}  // namespace

TEST_CASE("the example with a tuner of its own trains to a low loss") {
  auto const ended = test::run(examples + "/own_tuner", {});
  CHECK(ended.code == 0);
  CHECK(last_number(ended.output, "steps: ") < 0.2);
}

TEST_CASE("the training loop that is a coroutine trains to a low loss") {
  auto const ended = test::run(examples + "/coroutine", {});
  CHECK(ended.code == 0);
  CHECK(last_number(ended.output, "steps: ") < 0.2);
}

TEST_CASE("the smallest program trains to a low loss") {
  auto const ended = test::run(examples + "/smallest", {});
  CHECK(ended.code == 0);
  CHECK(last_number(ended.output, "loss ") < 0.05);
}

TEST_CASE("the main job compares a tuned run with the same run left alone, for each start") {
  test::folder const journals;
  auto const ended =
      small_main_job({"--epochs", "2", "--start-lr", "1e-5", "1e-1", "--journal", journals.path().string()});
  INFO(ended.output << ended.errors);
  REQUIRE(ended.code == 0);
  CHECK(ended.errors.empty());
  CHECK(count(ended.output, " 2/2 ") == 2);
  CHECK(count(ended.output, "| left alone |") == 2);
  CHECK(count(ended.output, "| tuned      |") == 2);
  CHECK(count(ended.output, "\033") == 0);
  CHECK(files_in(journals.path()).size() == 2);
}

TEST_CASE("the same seed gives the same epochs and the same table") {
  test::folder const journals;
  auto without_seconds = [](std::string text) {
    std::string kept;
    for (std::size_t at = 0; at < text.size();) {
      auto const end = text.find('\n', at);
      std::string const line = text.substr(at, end - at);
      kept += count(line, "| tuned      |") || count(line, "| left alone |") ? line.substr(0, line.rfind('|')) : line;
      kept += '\n';
      at = end == std::string::npos ? text.size() : end + 1;
    }
    return kept;
  };
  std::vector<std::string> const flags{"--epochs", "2", "--start-lr", "1e-1", "--journal", journals.path().string()};
  auto const first = small_main_job(flags), second = small_main_job(flags);
  CHECK(first.code == 0);
  CHECK(without_seconds(first.output) == without_seconds(second.output));
}

TEST_CASE("the main job begins from the journal of an earlier run, and refuses what is none") {
  test::folder const journals;
  std::vector<std::string> flags{"--epochs", "2", "--start-lr", "1e-1", "--journal", journals.path().string()};
  REQUIRE(small_main_job(flags).code == 0);
  flags.insert(flags.end(), {"--warm-start", files_in(journals.path()).front().string()});
  auto const warm = small_main_job(flags);
  INFO(warm.output << warm.errors);
  CHECK(warm.code == 0);
  CHECK(count(warm.output, "| tuned      |") == 1);

  flags.back() = sources + "/examples/autotune.toml";
  auto const refused = small_main_job(flags);
  CHECK(refused.code == 1);
  CHECK(count(refused.errors, "autotune.toml:1: ") == 1);
}

TEST_CASE("the journal of the main job is whole after Ctrl-C, and the table shows what there is") {
  for (int const signal : {SIGINT, SIGTERM}) {
    test::folder const journals;
    auto const ended = small_main_job(
        {"--epochs", "10000", "--start-lr", "1e-5", "--journal", journals.path().string()}, " 2/10000 ", signal);
    INFO(ended.output << ended.errors);
    CHECK(ended.code == 128 + signal);
    CHECK_THAT(ended.output, ContainsSubstring("Interrupted"));
    CHECK(count(ended.output, "| left alone |") == 1);
    CHECK(count(ended.output, "| tuned      |") == 1);
    auto const files = files_in(journals.path());
    REQUIRE(files.size() == 1);
    std::string const text = content(files.front());
    REQUIRE(text.ends_with('\n'));
    std::size_t lines = 0;
    for (std::size_t at = 0; at < text.size(); ++lines) {
      auto const end = text.find('\n', at);
      CHECK(nlohmann::json::accept(text.substr(at, end - at)));
      at = end + 1;
    }
    CHECK(lines >= 2 * 720 / 16);
  }
}

TEST_CASE("the main job trains with every optimizer it names") {
  test::folder const journals;
  for (std::string const optimizer : {"adamw", "sgd", "momentum", "rmsprop"}) {
    auto const ended = small_main_job(
        {"--epochs", "1", "--start-lr", "1e-3", "--optimizer", optimizer, "--journal", journals.path().string()});
    INFO(ended.output << ended.errors);
    CHECK(ended.code == 0);
  }
}

TEST_CASE("a loss that is no number in a trial spoils neither the epoch's loss nor the run") {
  test::folder const place;
  // So wide that a sweep comes to NaN in one step.
  std::ofstream(place / "wide.toml") << "[parameters]\nlr = { min = 1e-300, max = 1e300, scale = \"log\" }\n";
  auto const ended = small_main_job(
      {"--epochs", "3", "--start-lr", "1e-3", "--settings", place / "wide.toml", "--journal", place / "journals"});
  INFO(ended.output << ended.errors);
  REQUIRE(ended.code == 0);
  CHECK(count(ended.output, "|        -   ") == 0);
  std::istringstream lines(content(files_in(place / "journals").front()));
  std::size_t failed_trials = 0, others = 0;
  for (std::string line; std::getline(lines, line);) {
    auto const step = nlohmann::json::parse(line);
    if (step.value("result", "") == "failed") ++(step.value("why", "") == "range test" ? failed_trials : others);
  }
  CHECK(failed_trials > 0);
  CHECK(others == 0);
}

TEST_CASE("the main job follows a settings file") {
  test::folder const journals;
  auto const ended = small_main_job({"--epochs", "1", "--start-lr", "1e-3", "--settings",
                                     sources + "/examples/autotune.toml", "--journal", journals.path().string()});
  INFO(ended.output << ended.errors);
  CHECK(ended.code == 0);
}

TEST_CASE("a mistake in a settings file is shown with its place") {
  test::folder const at;
  std::ofstream(at / "wrong.toml")
      << "[parameters]\nlr = { min = 1e-4, max = 1e-1, scale = \"log\" }\n\n[stability]\npatiense = 3\n";
  auto const ended =
      small_main_job({"--epochs", "1", "--settings", (at / "wrong.toml").string(), "--journal", at.path().string()});
  CHECK(ended.code == 1);
  CHECK_THAT(ended.errors, ContainsSubstring("wrong.toml:5:1") && ContainsSubstring("patience"));
}

TEST_CASE("wrong flags are refused with a word of explanation") {
  for (std::vector<std::string> const& flags : std::vector<std::vector<std::string>>{{"--epochs", "0"},
                                                                                     {"--optimizer", "lbfgs"},
                                                                                     {"--start-lr", "-1"},
                                                                                     {"--start-lr", "nan"},
                                                                                     {"--settings", "/nowhere.toml"},
                                                                                     {"--frobnicate"}}) {
    auto const ended = small_main_job(flags);
    INFO(flags.front() << ": " << ended.errors);
    CHECK(ended.code == 2);
    CHECK_THAT(ended.errors, ContainsSubstring(flags.front()));
  }
  auto const help = small_main_job({"--help"});
  CHECK(help.code == 0);
  for (std::string const flag :
       {"--data", "--epochs", "--seed", "--start-lr", "--optimizer", "--settings", "--threads", "--journal"}) {
    CHECK_THAT(help.output, ContainsSubstring(flag));
  }
}

TEST_CASE("a missing or foreign data file is a clear error") {
  test::folder const data;
  auto const missing = small_main_job({"--data", data.path().string()});
  CHECK(missing.code == 1);
  CHECK_THAT(missing.errors, ContainsSubstring("train-images-idx3-ubyte") && ContainsSubstring("no such file"));

  std::ofstream(data / "train-images-idx3-ubyte") << "<html>not found</html>";
  auto const foreign = small_main_job({"--data", data.path().string()});
  CHECK(foreign.code == 1);
  CHECK_THAT(foreign.errors, ContainsSubstring("train-images-idx3-ubyte") && ContainsSubstring("begins with bytes"));
}

TEST_CASE("a main job that was ended goes on from its checkpoints, and ends where an unbroken one does") {
  test::folder const place;
  auto const rows = [](std::string const& output) {
    std::string found;
    std::istringstream lines(output);
    for (std::string line; std::getline(lines, line);) {
      if (line.find("| left alone |") != line.npos || line.find("| tuned ") != line.npos)
        found += line.substr(0, line.rfind('|')) + "\n";  // without the seconds
    }
    return found;
  };
  std::vector<std::string> const flags{"--epochs", "2", "--start-lr", "1e-5", "--journal", place / "j"};
  auto const with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), flags.begin(), flags.end());
    return more;
  };
  std::string const kept = place / "kept";
  auto const unbroken = small_main_job(with({"--checkpoint", place / "whole"}));
  REQUIRE(unbroken.code == 0);
  auto const ended = small_main_job(with({"--checkpoint", kept, "--checkpoint-every", "5"}), "1/2", SIGINT);
  CHECK(ended.code == 128 + SIGINT);
  auto const resumed = small_main_job(with({"--checkpoint", kept, "--resume"}));
  INFO(resumed.output);
  CHECK(resumed.code == 0);
  CHECK_THAT(resumed.output, ContainsSubstring("resumed at step"));
  CHECK(count(rows(unbroken.output), "\n") == 2);
  CHECK(rows(resumed.output) == rows(unbroken.output));

  auto const other = small_main_job(
      {"--epochs", "3", "--start-lr", "1e-5", "--journal", place / "j", "--checkpoint", kept, "--resume"});
  CHECK(other.code == 1);
  CHECK_THAT(other.errors, ContainsSubstring("other --images, --batch or --epochs"));
  std::filesystem::path const newest = std::filesystem::path(kept) / "adam-1e-05-tuned.checkpoint";
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) / 2);
  auto const damaged = small_main_job(with({"--checkpoint", kept, "--resume"}));
  CHECK(damaged.code == 1);
  CHECK_THAT(damaged.errors, ContainsSubstring("is whole"));
  CHECK(small_main_job(with({"--checkpoint", kept, "--resume-previous"})).code == 0);
  CHECK(small_main_job(with({"--resume"})).code == 2);
}
