// A long run: the default pipeline, with a journal, told a million observations. What must stay the same is printed
// from the first thousand steps to the last: resident memory, the time of a step, open files.

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "../tests/support/folder.hpp"
#include "../tests/support/noise.hpp"

import autotunenet;
import autotunenet.journal;

using namespace autotunenet;

namespace {

/// Without the program's own code, of which parts are read from its file when they first run.
std::size_t resident_bytes() {
  std::ifstream in("/proc/self/status");
  std::size_t kilobytes = 0;
  for (std::string word; in >> word;) {
    if (word == "RssAnon:") in >> kilobytes;
  }
  return kilobytes * 1024;
}

std::size_t open_files() {
  std::filesystem::directory_iterator const all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

int main(int count, char** words) {
  std::size_t const steps = count > 1 ? std::strtoull(words[1], nullptr, 10) : 1'000'000;
  if (steps < 10'000) {
    std::fprintf(stderr, "usage: soak [steps, 10000 or more]\n");
    return 2;
  }
  test::folder const place;
  settings const chosen{.parameters = search_space{real{"lr", 1e-6, 1.0, scale::log}, real{"momentum", 0.0, 0.99},
                                                   integer{"batch", 8, 256}, categorical{"schedule", {"a", "b"}}},
                        .tuning = {.objective = hook::step, .seed = 1, .tune_n_steps = 1, .horizon = steps}};
  journal written(place / "soak.jsonl", *chosen.parameters);
  suggestions tuner = make_pipeline(chosen) | watch(written);

  support::noise random(1);
  double level = 3.0;
  std::array<double, 10> deciles{};
  std::size_t settled = 0, files = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    if (step == 1000) {
      settled = resident_bytes();
      files = open_files();
    }
    double const began = seconds();
    double const rate = tuner.ask().values[0];
    double const off = std::log10(rate) + 2.5;
    level *= 1.0 - 1e-5 * (1.0 - off * off);
    if (!(level > 0.1 && level < 10.0)) level = 3.0;
    double metric = level + 0.05 * random.normal();
    if (step % 10'007 == 10'006) metric = std::numeric_limits<double>::quiet_NaN();
    tuner.tell({.metric = metric, .restorable = true});
    deciles[step * 10 / steps] += seconds() - began;
  }
  auto const grown = static_cast<double>(resident_bytes()) / static_cast<double>(settled) - 1.0;
  std::printf("%zu steps, %zu journal lines%s\n", steps, static_cast<std::size_t>(written.lines()),
              written.error() ? (", journal: " + *written.error()).c_str() : "");
  std::printf("resident memory after 1,000 steps %.1f MB, grown since by %.2f %%\n", static_cast<double>(settled) / 1e6,
              100.0 * grown);
  std::printf("step time %.2f us in the first tenth, last tenth against first %.2f\n",
              10.0 * deciles[0] / static_cast<double>(steps) * 1e6, deciles[9] / deciles[0]);
  std::printf("open files %zu, at the end %zu\n", files, open_files());
}
