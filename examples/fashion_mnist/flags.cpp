#include "flags.hpp"

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

#include "optimizer.hpp"

namespace fashion {

flags read_flags(int count, char** words) {
  flags chosen;
  CLI::App app(
      "Trains a small network on Fashion-MNIST from a bad learning rate, twice from the same seed: left alone, and "
      "tuned by "
      "AutoTuneNet while it trains. Ctrl-C ends early, with the table of what there is.",
      "examples/run");
  app.get_formatter()->column_width(24);
  auto option = [&app](char const* name, auto& value, char const* takes, char const* meaning) {
    return app.add_option(name, value, meaning)->option_text(takes);
  };
  std::vector<std::string> const known(std::begin(optimizers), std::end(optimizers));
  option("--start-lr", chosen.start_rates, "RATE ...",
         "Learning rates to begin with, each a comparison of its own (1e-5 1e-1)")
      ->check(CLI::Range(1e-12, 1e6))
      ->check([](std::string const& text) -> std::string {
        return std::isnan(std::strtod(text.c_str(), nullptr)) ? "nan is not a learning rate"
                                                              : "";  // Range lets it pass
      });
  option("--optimizer", chosen.optimizer, "NAME", "adam (the default), adamw, sgd, momentum or rmsprop")
      ->check(CLI::IsMember(known));
  option("--epochs", chosen.epochs, "N", "Passes over the training images (20)")->check(CLI::Range(1, 10'000));
  option("--images", chosen.images, "N", "Training images (12000); a sixth of that validates, five twelfths test")
      ->check(CLI::Range(120, 24'000));
  option("--batch", chosen.batch, "N", "Images per training step (64)")->check(CLI::Range(1, 24'000));
  option("--seed", chosen.seed, "N", "Seed of the split, the initial weights, the batch order and the tuner (1)");
  option("--settings", chosen.settings, "FILE",
         "What is tuned and how, in TOML, as in examples/autotune.toml (the learning rate)")
      ->check(CLI::ExistingFile);
  option("--data", chosen.data, "FOLDER", "The four idx files (/usr/share/datasets/fashion-mnist)");
  option("--journal", chosen.journal, "FOLDER",
         "Where to write a journal of each tuned run, in JSON Lines (build/results)");
  option("--warm-start", chosen.earlier, "FILE", "The journal of an earlier run, for the tuner to begin with (none)")
      ->check(CLI::ExistingFile);
  auto* const kept = option("--checkpoint", chosen.checkpoint, "FOLDER",
                            "Where to keep each run, so that it can resume after a kill (nowhere)");
  option("--checkpoint-every", chosen.checkpoint_every, "N", "Steps between checkpoints (one per epoch)")
      ->check(CLI::Range(1, 1'000'000))
      ->needs(kept);
  auto* const resume = app.add_flag("--resume", chosen.resume, "Go on from the newest checkpoints, if there are any");
  auto* const previous =
      app.add_flag("--resume-previous", chosen.resume_previous, "The same from the checkpoints before them");
  resume->needs(kept)->excludes(previous);
  previous->needs(kept);
  option("--threads", chosen.threads, "N", "Threads of LibTorch, for each of the two runs that go on side by side (1)")
      ->check(CLI::Range(1, 1024));
  try {
    app.parse(count, words);
  } catch (CLI::ParseError const& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return chosen;
}

}  // namespace fashion
