#include "flags.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "optimizer.hpp"

namespace fashion {

flags read_flags(int count, char** words) {
  flags chosen;
  CLI::App app(
      "Trains a small network on Fashion-MNIST from a bad learning rate, twice from the same seed: left alone, and "
      "tuned by "
      "AutoTuneNet while it trains. Ctrl-C ends early, with the table of what there is.",
      "examples/run");
  app.option_defaults()->always_capture_default();
  app.get_formatter()->column_width(34);
  app.add_option("--start-lr", chosen.start_rates, "Learning rates to begin with, each a comparison of its own")
      ->check(CLI::Range(1e-12, 1e6))
      ->type_name("RATE ...");
  app.add_option("--optimizer", chosen.optimizer, "Optimizer")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(optimizers), std::end(optimizers))));
  app.add_option("--epochs", chosen.epochs, "Passes over the training images")->check(CLI::Range(1, 10'000));
  app.add_option("--images", chosen.images, "Training images; a sixth of that validates, five twelfths test")
      ->check(CLI::Range(120, 24'000));
  app.add_option("--batch", chosen.batch, "Images per training step")->check(CLI::Range(1, 24'000));
  app.add_option("--seed", chosen.seed, "Seed of the split, the initial weights, the batch order and the tuner");
  app.add_option("--settings", chosen.settings,
                 "TOML file that says what is tuned and how; examples/autotune.toml is one")
      ->check(CLI::ExistingFile)
      ->default_str("built in");
  app.add_option("--data", chosen.data, "Folder of the four idx files")->type_name("FOLDER");
  app.add_option("--journal", chosen.journal, "Folder for the journals, one JSON Lines file per tuned run")
      ->type_name("FOLDER")
      ->default_str("build/results");
  app.add_option("--threads", chosen.threads, "Threads of LibTorch")
      ->check(CLI::Range(1, 1024))
      ->default_str("OMP_NUM_THREADS");
  try {
    app.parse(count, words);
  } catch (CLI::ParseError const& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
  return chosen;
}

}  // namespace fashion
