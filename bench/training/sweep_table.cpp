#include "sweep_table.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "statistics.hpp"

namespace training {

namespace {

struct cell {
  std::vector<double> accuracies;
  bool diverged = false;
};

struct method_cells {
  std::map<double, cell> by_start;
  std::vector<double> extra_work, controller_share;
};

struct group {
  std::set<double> starts;
  std::vector<std::string> order;
  std::map<std::string, method_cells> methods;
};

double best_of(method_cells const& of) {
  double best = unknown;
  for (auto const& [start, c] : of.by_start)
    if (double const a = median(c.accuracies, 0.0); !(a <= best)) best = a;
  return best;
}

sweep_row row_of(std::string const& name, group const& in, double best_fixed, double best_cosine) {
  auto const& cells = in.methods.at(name);
  sweep_row row{.method = name, .starts = cells.by_start.size()};
  std::vector<double> all;
  for (auto const& [start, c] : cells.by_start) {
    double const a = median(c.accuracies, 0.0);
    all.push_back(a);
    row.near_best_fixed += a >= best_fixed - 0.005;
    row.near_best_cosine += a >= best_cosine - 0.005;
    row.dead += a < 0.2;
    row.diverged += c.diverged;
    if (auto const fixed = in.methods.find("fixed"); fixed != in.methods.end())
      if (auto const alone = fixed->second.by_start.find(start); alone != fixed->second.by_start.end())
        row.worse_than_alone += a < median(alone->second.accuracies, 0.0) - 0.005;
  }
  row.middle = median(all, 0.0);
  row.worst = least(all, 0.0);
  row.extra_work = greatest(cells.extra_work, 0.0);
  row.controller_share = median(cells.controller_share, 0.0);
  return row;
}

}  // namespace

sweep_row const* sweep_table::find(std::string_view method) const {
  auto const found = std::ranges::find(rows, method, &sweep_row::method);
  return found == rows.end() ? nullptr : &*found;
}

std::vector<sweep_table> sweep_tables(results const& of, suite const& sweep) {
  std::vector<std::pair<std::string, std::string>> order;
  std::map<std::pair<std::string, std::string>, group> groups;
  for (auto const& what : sweep.jobs) {
    // A parameter-free optimizer has no start, so it is no row of a table over starts.
    if (what.method == "prodigy") continue;
    std::pair const name(what.problem, what.optimizer);
    if (!groups.contains(name)) order.push_back(name);
    auto& g = groups[name];
    g.starts.insert(what.start_lr);
    auto const found = of.all().find(what.key());
    if (found == of.all().end()) continue;
    auto const& run = found->second;
    if (!g.methods.contains(what.method)) g.order.push_back(what.method);
    auto& m = g.methods[what.method];
    auto& c = m.by_start[what.start_lr];
    c.accuracies.push_back(run.test_accuracy);
    c.diverged = c.diverged || run.diverged;
    m.extra_work.push_back(run.extra_work_fraction);
    m.controller_share.push_back(run.controller_seconds / run.wall_seconds);
  }
  std::vector<sweep_table> tables;
  for (auto const& name : order) {
    auto const& g = groups[name];
    if (g.methods.empty()) continue;
    sweep_table table{.problem = name.first, .optimizer = name.second, .starts = g.starts.size()};
    if (auto const m = g.methods.find("fixed"); m != g.methods.end()) table.best_fixed = best_of(m->second);
    if (auto const m = g.methods.find("cosine"); m != g.methods.end()) table.best_cosine = best_of(m->second);
    for (auto const& method : g.order) table.rows.push_back(row_of(method, g, table.best_fixed, table.best_cosine));
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace training
