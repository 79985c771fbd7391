#include "search.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>

#include "method.hpp"
#include "run.hpp"

import autotunenet;

namespace training {

bool is_search(std::string_view method) { return method == "offline_equal" || method == "offline_2.5x"; }

record search(job const& what, dataset const& data) {
  using namespace autotunenet;
  auto const began = std::chrono::steady_clock::now();
  bool const equal = what.method == "offline_equal";
  std::size_t const length = equal ? 1 : std::max<std::size_t>(1, what.epochs / 10);
  std::size_t const trials =
      equal ? std::max<std::size_t>(1, what.epochs * 2 / 5) : std::max<std::size_t>(1, what.epochs * 3 / 2 / length);

  search_space const space{real{"lr", 1e-5, 1e0, scale::log}};
  auto tuner = tpe(space, {.seed = what.seed, .start = space.at({{"lr", std::clamp(what.start_lr, 1e-5, 1e0)}})});
  double best = std::numeric_limits<double>::infinity(), best_lr = what.start_lr, in_controller = 0.0;
  for (std::size_t trial = 0; trial < trials; ++trial) {
    double const lr = tuner.ask().values[0];
    auto shorter = what;
    shorter.start_lr = lr;
    shorter.epochs = length;
    auto const tried = train(shorter, data, *make_controller("fixed"));
    if (tried.final_val_loss < best) {
      best = tried.final_val_loss;
      best_lr = lr;
    }
    auto const asked = std::chrono::steady_clock::now();
    tuner.tell(tried.final_val_loss);
    in_controller += std::chrono::duration<double>(std::chrono::steady_clock::now() - asked).count();
  }

  auto last = what;
  last.start_lr = best_lr;
  last.epochs = equal ? what.epochs - trials : what.epochs;
  auto out = train(last, data, *make_controller(equal ? "fixed" : "cosine"));
  out.what = what;
  out.restarts = trials;
  // What was spent beyond the run that counts, in units of one run.
  out.extra_work_fraction = static_cast<double>(trials * length) / static_cast<double>(what.epochs);
  out.controller_seconds = in_controller;
  out.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return out;
}

}  // namespace training
