#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "search.hpp"

import autotunenet;

using namespace autotunenet;

namespace peers {

namespace {

search_space cube(std::size_t d) {
  std::vector<parameter> all;
  for (std::size_t i = 0; i < d; ++i) all.push_back(real{"x" + std::to_string(i), 0.0, 1.0});
  return search_space(all);
}

class ours_search : public search {
 public:
  ours_search(suggestions tuner, std::span<known_point const> known) : tuner_(std::move(tuner)) {
    for (known_point const& one : known) {
      tuner_.ask();
      tuner_.tell({.metric = one.y, .applied = one.x});
    }
  }
  std::span<double const> ask() override { return tuner_.ask().values.values(); }
  void tell(double y) override { tuner_.tell(y); }

 private:
  suggestions tuner_;
};

peer from(std::string name, suggestions (*make)(search_space, std::uint64_t)) {
  return {std::move(name),
          [make](std::size_t d, std::uint64_t seed, std::span<known_point const> known) -> std::unique_ptr<search> {
            return std::make_unique<ours_search>(make(cube(d), seed), known);
          },
          ""};
}

}  // namespace

peer ours() {
  return from("ours", [](search_space space, std::uint64_t seed) { return bayesian(space, {.seed = seed}); });
}

peer ours_levels() {
  return from("ours, levels", [](search_space space, std::uint64_t seed) {
    return bayesian(space, {.seed = seed, .from = learned::level});
  });
}

peer ours_tpe() {
  return from("ours, TPE", [](search_space space, std::uint64_t seed) { return tpe(space, {.seed = seed}); });
}

peer ours_random() {
  return from("random", [](search_space space, std::uint64_t seed) { return quasi_random(space, {.seed = seed}); });
}

}  // namespace peers
