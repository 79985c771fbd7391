#include "synthetic.hpp"

#include <chrono>
#include <stdexcept>

#include "quadratic.hpp"

namespace training {

namespace {

record closed_form(job const& what, std::size_t steps) {
  std::vector<double> rates;
  if (what.method == "greedy") rates = greedy_rates(steps);
  if (what.method == "best_constant") rates = best_constant_rates(steps);
  if (what.method == "best_cosine") rates = best_cosine_rates(steps);
  if (what.method == "near_optimal") rates = near_optimal_rates(steps);
  if (rates.empty()) throw std::invalid_argument("There is no method " + what.method + " for the quadratic.");
  record out{.what = what};
  quadratic model;
  for (std::size_t t = 0; t < steps; ++t) {
    model.step(rates[t]);
    if ((t + 1) % (steps / 10) == 0)
      out.history.push_back({.epoch = static_cast<double>(t + 1) / static_cast<double>(steps),
                             .step = t + 1,
                             .val_loss = model.loss(),
                             .lr = rates[t]});
  }
  out.final_val_loss = out.best_val_loss = model.loss();
  return out;
}

}  // namespace

bool is_synthetic(job const& what) { return what.problem.starts_with("quadratic") || what.problem == "bandit"; }

record run_synthetic(job const& what) {
  auto const began = std::chrono::steady_clock::now();
  std::size_t const steps = what.problem == "quadratic_250" ? 250 : 1000;
  auto out = what.problem == "bandit" ? bandit(what)
             : what.method == "ours"  ? quadratic_ours(what, steps)
                                      : closed_form(what, steps);
  out.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return out;
}

}  // namespace training
