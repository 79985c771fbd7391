#include "shift_table.hpp"

#include <cstdint>
#include <limits>
#include <map>

#include "regime.hpp"
#include "statistics.hpp"

namespace training {

namespace {

struct measured {
  std::vector<double> spike, degradation, recovery, cumulative, regret, relative, accuracy;
};

struct run_of {
  job const* what;
  record const* run;
};

// The fixed rate of a seed whose loss after the shift added up to the least.
record const* best_fixed(std::vector<run_of> const& runs, std::uint64_t seed, double from) {
  record const* best = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (auto const& [what, run] : runs) {
    if (what->method != "fixed" || what->seed != seed) continue;
    double const sum = measure_shift(run->history, from, 0.0).cumulative;
    if (sum < least) {
      least = sum;
      best = run;
    }
  }
  return best;
}

void measure(measured& into, record const& run, record const& best, double from) {
  double const level = best.final_val_loss * 1.05;
  auto const took = measure_shift(run.history, from, level), hindsight = measure_shift(best.history, from, level);
  into.spike.push_back(took.spike);
  into.degradation.push_back(took.degradation);
  into.recovery.push_back(took.recovery);
  into.cumulative.push_back(took.cumulative);
  into.regret.push_back(took.cumulative - hindsight.cumulative);
  into.relative.push_back(took.cumulative / hindsight.cumulative - 1.0);
  into.accuracy.push_back(run.test_accuracy);
}

shift_row row_of(std::string method, measured const& m) {
  return {.method = std::move(method),
          .took = {.spike = median(m.spike, 1e9),
                   .degradation = median(m.degradation, 1e9),
                   .recovery = median(m.recovery, 1e9),
                   .cumulative = median(m.cumulative, 1e9)},
          .regret = median(m.regret, 1e9),
          .relative = median(m.relative, 1e9),
          .accuracy = median(m.accuracy, 0.0),
          .seeds = m.cumulative.size()};
}

}  // namespace

std::vector<shift_table> shift_tables(results const& of, suite const& shifts_suite) {
  std::vector<shift_table> tables;
  for (auto const regime : shifts) {
    std::vector<run_of> runs;
    for (auto const& what : shifts_suite.jobs)
      if (what.regime == regime)
        if (auto const found = of.all().find(what.key()); found != of.all().end())
          runs.push_back({&what, &found->second});
    std::map<std::string, measured> by_method;
    std::vector<std::string> order;
    for (auto const& [what, run] : runs) {
      auto const from = static_cast<double>(shift_epoch(what->epochs));
      // A run that was lost before the shift has nothing to say of it.
      auto const* const best = best_fixed(runs, what->seed, from);
      if (best == nullptr) continue;
      bool const is_best = run == best;
      if (what->method == "fixed" && !is_best) continue;
      auto const name = is_best ? std::string("best fixed in hindsight") : what->method;
      if (!by_method.contains(name)) order.push_back(name);
      measure(by_method[name], *run, *best, from);
    }
    if (order.empty()) continue;
    shift_table table{.regime = std::string(regime), .rows = {}};
    for (auto const& name : order) table.rows.push_back(row_of(name, by_method[name]));
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace training
