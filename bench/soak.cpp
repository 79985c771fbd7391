// A long run: the default pipeline, with a journal, told a million observations. Fails unless memory, the time of a
// step and open files stay what they were.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "../tests/support/folder.hpp"
#include "../tests/support/noise.hpp"
#include "cpu_clock.hpp"

import autotunenet;
import autotunenet.journal;

using namespace autotunenet;

namespace {

std::size_t resident_bytes() {
  std::ifstream in("/proc/self/status");
  std::size_t kilobytes = 0;
  for (std::string word; in >> word;) {
    if (word == "VmRSS:") in >> kilobytes;
  }
  return kilobytes * 1024;
}

std::size_t open_files() {
  std::filesystem::directory_iterator const all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool row(char const* what, bool kept, std::string const& figures) {
  std::printf("%-16s %-62s %s\n", what, figures.c_str(), kept ? "kept" : "BROKEN");
  return kept;
}

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
  std::array<double, 10> deciles{}, counts{};
  std::size_t settled = 0, files = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    if (step == 1000) {
      (void)resident_bytes(), (void)open_files();  // what measuring itself takes
      settled = resident_bytes();
      files = open_files();
    }
    double const began = bench::cpu_microseconds();
    bool const swept = tuner.ask().why == reason::range_test;  // the tuner rests then
    double const rate = tuner.ask().values[0];
    double const off = std::log10(rate) + 2.5;
    level *= 1.0 - 1e-5 * (1.0 - off * off);
    if (!(level > 0.1 && level < 10.0)) level = 3.0;
    double metric = level + 0.05 * random.normal();
    if (step % 10'007 == 10'006) metric = std::numeric_limits<double>::quiet_NaN();
    tuner.tell({.metric = metric, .restorable = true});
    if (swept) continue;
    deciles[step * 10 / steps] += bench::cpu_microseconds() - began;
    counts[step * 10 / steps] += 1.0;
  }
  double const before = static_cast<double>(settled), now = static_cast<double>(resident_bytes());
  double const drift = deciles[9] / counts[9] / (deciles[0] / counts[0]);
  std::size_t const files_now = open_files();
  std::printf("%zu steps of the default pipeline, tuned at each, with a journal\n", steps);
  bool kept =
      row("memory", now <= 1.01 * before,
          std::format("{:.2f} MB after 1,000 steps, {:+.2f} % at the end", before / 1e6, 100.0 * (now / before - 1.0)));
  kept &= row("step time", drift < 1.2, std::format("last tenth against first {:.2f}", drift));
  kept &= row("open files", files_now == files, std::format("{} after 1,000 steps, {} at the end", files, files_now));
  kept &= row("journal", !written.error() && written.lines() == steps,
              std::format("{} lines{}", written.lines(), written.error() ? ", " + *written.error() : ""));
  return kept ? 0 : 1;
}
