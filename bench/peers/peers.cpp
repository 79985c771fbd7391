// Times one ask and tell of each peer with n observations present, interleaved with ours.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../cpu_clock.hpp"
#include "search.hpp"

namespace {

using peers::known_point;
using peers::peer;

constexpr std::size_t dimensions = 4;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

class problem {
 public:
  explicit problem(std::uint64_t seed) : random_(seed) {}
  known_point known() {
    known_point made;
    for (std::size_t i = 0; i < dimensions; ++i) made.x.push_back(uniform_(random_));
    made.y = measure(made.x);
    return made;
  }
  double measure(std::span<double const> x) {
    double sum = 0.0;
    for (double value : x) sum += (value - 0.7) * (value - 0.7) + 0.1 * std::sin(9.0 * value);
    return sum + 0.01 * normal_(random_);
  }

 private:
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> uniform_;
  std::normal_distribution<double> normal_;
};

/// Pairs of steps, since some peers do a cheap and a dear one by turns; a tell is timed with the ask that follows.
double time_of(peer const& one, std::size_t n, std::size_t pairs, std::uint64_t seed) {
  problem over(seed);
  std::vector<known_point> known;
  for (std::size_t i = 0; i < n; ++i) known.push_back(over.known());
  auto const search = one.make(dimensions, seed, known);
  double y = over.measure(search->ask());
  std::vector<double> times;
  for (std::size_t k = 0; k < pairs; ++k) {
    double sum = 0.0;
    for (int step = 0; step < 2; ++step) {
      double const begin = bench::cpu_microseconds();
      search->tell(y);
      auto const x = search->ask();
      double const here = bench::cpu_microseconds() - begin;
      double const there = search->microseconds();
      sum += there < 0.0 ? here : there;
      y = over.measure(x);
    }
    times.push_back(0.5 * sum);
  }
  return median(times);
}

struct cell {
  std::vector<double> theirs, ratios;
};

std::size_t pairs_of(peer const& one, std::size_t n) {
  if (one.name == "ours") return 200;
  if (one.name == "Optuna GP") return n > 500 ? 1 : 3;
  return n > 500 ? 4 : 15;
}

double goal_of(std::string_view name) {
  if (name == "Optuna TPE") return 100.0;
  if (name == "Optuna GP") return 1000.0;
  if (name == "limbo-like loop") return 15.0;
  return name == "dlib" ? 8.0 : 0.0;
}

}  // namespace

int main(int count, char** given) try {
  char const* const file = count > 1 ? given[1] : "peers.json";
  std::vector<peer> others;
  for (peer one : {peers::dlib_search(), peers::limbo_like(), peers::optuna("CMA-ES"), peers::optuna("TPE"),
                   peers::optuna("GP")}) {
    if (one.make)
      others.push_back(std::move(one));
    else
      std::fprintf(stderr, "%s is skipped: it is not installed (Debian 13: %s).\n", one.name.c_str(),
                   one.missing.c_str());
  }
  peer const ours = peers::ours();
  std::map<std::pair<std::size_t, std::string>, cell> cells;
  std::size_t const sizes[] = {128, 1000};
  for (std::uint64_t round = 0; round < 3; ++round) {
    for (std::size_t const n : sizes) {
      for (peer const& one : others) {
        double const before = time_of(ours, n, pairs_of(ours, n), round);
        double const theirs = time_of(one, n, pairs_of(one, n), round);
        double const after = time_of(ours, n, pairs_of(ours, n), round);
        cell& into = cells[{n, one.name}];
        into.theirs.push_back(theirs);
        into.ratios.push_back(theirs / (0.5 * (before + after)));
        cells[{n, "ours"}].theirs.push_back(0.5 * (before + after));
      }
    }
  }
  std::FILE* const json = std::fopen(file, "w");
  if (!json) throw std::runtime_error(std::string("cannot write ") + file);
  std::printf("| peer | d | n | median, us | times ours | goal |\n|---|---|---|---|---|---|\n");
  std::fprintf(json, "[");
  char const* separator = "\n";
  for (auto const& [key, found] : cells) {
    auto const& [n, name] = key;
    double const time = median(found.theirs);
    double const ratio = found.ratios.empty() ? 1.0 : median(found.ratios);
    double const goal = goal_of(name);
    std::printf("| %s | %zu | %zu | %.0f | %.1f |", name.c_str(), dimensions, n, time, ratio);
    if (goal > 0.0)
      std::printf(" %g: %s |\n", goal, ratio >= goal ? "yes" : "no");
    else
      std::printf(" |\n");
    std::fprintf(json, "%s  {\"peer\": \"%s\", \"d\": %zu, \"n\": %zu, \"median_us\": %.3f, \"ratio_to_ours\": %.4f}",
                 separator, name.c_str(), dimensions, n, time, ratio);
    separator = ",\n";
  }
  std::fprintf(json, "\n]\n");
  return std::fclose(json) == 0 ? 0 : 1;
} catch (std::exception const& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
