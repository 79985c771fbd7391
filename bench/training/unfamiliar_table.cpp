#include "unfamiliar_table.hpp"

#include <map>
#include <utility>

#include "statistics.hpp"

namespace training {

namespace {

struct cell {
  std::vector<double> ours, extra_work;
  std::map<double, std::vector<double>> cosines;
};

}  // namespace

std::vector<unfamiliar_row> unfamiliar_rows(results const& of, suite const& unfamiliar) {
  std::vector<unfamiliar_row> rows;
  std::map<std::pair<std::string, std::string>, cell> cells;
  for (auto const& what : unfamiliar.jobs) {
    auto const found = of.all().find(what.key());
    if (found == of.all().end()) continue;
    std::pair const name(what.problem, what.optimizer);
    if (!cells.contains(name)) rows.push_back({.problem = what.problem, .optimizer = what.optimizer});
    auto& c = cells[name];
    record const& run = found->second;
    if (what.method == "cosine") c.cosines[what.start_lr].push_back(run.test_accuracy);
    if (what.method != "ours") continue;
    c.ours.push_back(run.test_accuracy);
    c.extra_work.push_back(run.extra_work_fraction);
  }
  for (auto& row : rows) {
    auto const& c = cells[{row.problem, row.optimizer}];
    row.ours = median(c.ours, 0.0);
    row.worst = least(c.ours, 0.0);
    row.extra_work = greatest(c.extra_work, 0.0);
    auto const cosines = ranked(c.cosines);
    if (!cosines.empty()) {
      row.best_cosine = cosines[0].accuracy;
      row.best_peak = cosines[0].start;
    }
    if (cosines.size() > 1) row.next_cosine = cosines[1].accuracy;
  }
  return rows;
}

}  // namespace training
