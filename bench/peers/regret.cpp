// How good the suggestions are: regret on noisy functions after equally many observations.
//
//     regret [observations] [seeds] [part of a peer's name]
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "functions.hpp"
#include "search.hpp"

namespace {

using peers::function;
using peers::peer;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  std::size_t const n = values.size();
  return 0.5 * (values[(n - 1) / 2] + values[n / 2]);
}

/// Still functions: the regret of the best measurement, which is what each would recommend. Drifting ones: the mean
/// regret of what was suggested in the second half, when there is something to follow.
double regret(function const& f, peer const& one, std::size_t observations, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  auto const search = one.make(f.dimensions, seed, {});
  std::vector<double> at(f.dimensions);
  double least = std::numeric_limits<double>::infinity();
  double recommended = 0.0;
  double sum = 0.0;
  for (std::size_t i = 0; i < observations; ++i) {
    auto const x = search->ask();
    double const moved = f.drift * static_cast<double>(i) / static_cast<double>(observations);
    for (std::size_t k = 0; k < at.size(); ++k) at[k] = x[k] - moved;
    double const value = f.value(at);
    double const measured = value + f.noise * normal(random);
    if (measured < least) {
      least = measured;
      recommended = value;
    }
    if (2 * i >= observations) sum += value;
    search->tell(measured);
  }
  return f.drift > 0.0 ? 2.0 * sum / static_cast<double>(observations) : recommended;
}

}  // namespace

int main(int count, char** given) try {
  std::size_t const observations = count > 1 ? std::strtoul(given[1], nullptr, 10) : 100;
  std::uint64_t const seeds = count > 2 ? std::strtoul(given[2], nullptr, 10) : 20;
  std::string_view const only = count > 3 ? given[3] : "";
  if (observations < 2 || seeds < 1) throw std::runtime_error("regret [observations] [seeds] [part of a peer's name]");
  std::vector<peer> all;
  for (peer one : {peers::ours_levels(), peers::ours(), peers::ours_tpe(), peers::ours_random(), peers::dlib_search(),
                   peers::optuna("GP")}) {
    if (!one.make)
      std::fprintf(stderr, "%s is skipped: it is not installed (Debian 13: %s).\n", one.name.c_str(),
                   one.missing.c_str());
    else if (one.name.find(only) != std::string::npos)
      all.push_back(std::move(one));
  }
  std::printf("Median regret after %zu observations, %zu seeds; drifting: mean of the second half.\n\n| function |",
              observations, static_cast<std::size_t>(seeds));
  for (peer const& one : all) std::printf(" %s |", one.name.c_str());
  std::printf("\n|---|");
  for (std::size_t i = 0; i < all.size(); ++i) std::printf("---|");
  std::printf("\n");
  for (function const& f : peers::standard_functions()) {
    std::printf("| %s |", f.name);
    for (peer const& one : all) {
      std::vector<double> found;
      for (std::uint64_t seed = 1; seed <= seeds; ++seed) found.push_back(regret(f, one, observations, seed));
      std::printf(" %.3g |", median(std::move(found)));
      std::fflush(stdout);
    }
    std::printf("\n");
  }
} catch (std::exception const& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
