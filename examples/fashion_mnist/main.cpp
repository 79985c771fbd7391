// Trains a small network on Fashion-MNIST from deliberately bad learning rates, each twice from the same seed: left
// alone, and tuned while it trains. Ends with a table that compares the two.

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <format>
#include <future>
#include <stop_token>
#include <string>
#include <vector>

#include "comparison.hpp"
#include "data.hpp"
#include "flags.hpp"
#include "interruption.hpp"
#include "screen.hpp"
#include "training.hpp"

namespace fashion {
namespace {

/// A journal never overwrites an earlier one.
std::filesystem::path journal_for(flags const& chosen, double start_rate) {
  static auto const began = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  std::string const name = std::format("fashion_mnist-{:%Y%m%d-%H%M%S}-{}-{:g}", began, chosen.optimizer, start_rate);
  std::filesystem::path file = chosen.journal / (name + ".jsonl");
  for (int n = 2; std::filesystem::exists(file); ++n) file = chosen.journal / std::format("{}-{}.jsonl", name, n);
  return file;
}

plan plan_for(flags const& chosen, double start_rate, bool tuned) {
  plan what{.optimizer = chosen.optimizer,
            .start_rate = start_rate,
            .epochs = chosen.epochs,
            .images = chosen.images,
            .batch = chosen.batch,
            .seed = chosen.seed,
            .tuned = tuned,
            .settings = {},
            .journal = {},
            .earlier = {},
            .checkpoint = {},
            .checkpoint_every = chosen.checkpoint_every};
  if (!chosen.checkpoint.empty()) {
    what.checkpoint = chosen.checkpoint /
                      std::format("{}-{:g}-{}.checkpoint", chosen.optimizer, start_rate, tuned ? "tuned" : "alone");
  }
  if (tuned) {
    what.settings = chosen.settings;
    what.earlier = chosen.earlier;
    what.journal = journal_for(chosen, start_rate);
  }
  return what;
}

/// One start, both ways, side by side: each run has a thread of its own. One that resumed further on waits.
void compare(flags const& chosen, double start_rate, split const& data, screen& out, std::stop_token stop,
             std::vector<outcome>& rows) {
  resume_from const from = chosen.resume            ? resume_from::newest
                           : chosen.resume_previous ? resume_from::previous
                                                    : resume_from::nothing;
  training alone(plan_for(chosen, start_rate, false), data, from),
      tuned(plan_for(chosen, start_rate, true), data, from);
  out.line(std::format("\n{} from a learning rate of {:.0e}", chosen.optimizer, start_rate));
  if (alone.resumed_at() + tuned.resumed_at() > 0) {
    out.line(
        std::format("resumed at step {} (left alone) and step {} (tuned)", alone.resumed_at(), tuned.resumed_at()));
  }
  out.line(epoch_header());
  std::string trouble;
  for (std::size_t epoch = std::min(alone.now().epochs, tuned.now().epochs) + 1;
       epoch <= chosen.epochs && !stop.stop_requested(); ++epoch) {
    std::atomic<double> done_alone = 0.0;
    auto beside = std::async(std::launch::async, [&] {
      if (alone.now().epochs < epoch) alone.epoch([&](double done, double, double) { done_alone = done; }, stop);
    });
    if (tuned.now().epochs < epoch) {
      tuned.epoch(
          [&](double done, double loss, double rate) {
            out.progress((done + done_alone) / 2.0,
                         std::format("epoch {}/{}  tuned: loss {:.4f}, lr {:.3e}", epoch, chosen.epochs, loss, rate));
          },
          stop);
    }
    beside.get();
    out.line(epoch_line(out, epoch, chosen.epochs, alone.now(), tuned.now()));
    for (training const* const one : {&alone, &tuned}) {
      if (!one->trouble().empty() && one->trouble() != trouble) out.line(trouble = one->trouble());
    }
  }
  rows.push_back({start_rate, false, alone.now(), alone.test_accuracy()});
  rows.push_back({start_rate, true, tuned.now(), tuned.test_accuracy()});
}

int run(flags const& chosen) {
  interruption interrupted;
  at::set_num_threads(chosen.threads);
  screen out;
  split const data = load(chosen.data, chosen.seed, chosen.images, chosen.images / 6, chosen.images * 5 / 12);
  out.line(std::format("Fashion-MNIST: {} images train, {} validate, {} test; batches of {}, seed {}",
                       data.training.size(), data.validation.size(), data.test.size(), chosen.batch, chosen.seed));
  std::filesystem::create_directories(chosen.journal);
  if (!chosen.checkpoint.empty()) std::filesystem::create_directories(chosen.checkpoint);
  std::vector<outcome> rows;
  for (double const start_rate : chosen.start_rates) {
    if (interrupted.token().stop_requested()) break;
    compare(chosen, start_rate, data, out, interrupted.token(), rows);
  }
  out.line(interrupted.signal() ? "\nInterrupted; until then:" : "");
  for (std::string const& line : table(out, rows)) out.line(line);
  out.line(std::format("\nJournals: {}", chosen.journal.string()));
  return interrupted.signal() ? 128 + interrupted.signal() : 0;
}

}  // namespace
}  // namespace fashion

int main(int count, char** words) {
  fashion::flags const chosen = fashion::read_flags(count, words);
  try {
    return fashion::run(chosen);
  } catch (std::exception const& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
