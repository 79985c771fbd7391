#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <map>
#include <tuple>

#include "shift_table.hpp"
#include "statistics.hpp"
#include "sweep_table.hpp"
#include "unfamiliar_table.hpp"

namespace training {

namespace {

std::string shown(double value, int digits) {
  return std::isfinite(value) && std::abs(value) < 1e8 ? std::format("{:.{}f}", value, digits) : "-";
}

std::string headline(suite const& s) { return std::format("\n{}: {}\n", s.name, s.about); }

// One line per problem, start and method: medians over the seeds, and the worst.
std::string run_table(results const& of, suite const& s) {
  using place = std::tuple<std::string, std::string, double>;
  std::vector<std::pair<place, std::string>> order;
  std::map<std::pair<place, std::string>, std::vector<record const*>> cells;
  for (auto const& what : s.jobs) {
    auto const found = of.all().find(what.key());
    if (found == of.all().end()) continue;
    std::pair const name(place(what.problem, what.optimizer, what.method == "prodigy" ? 0.0 : what.start_lr),
                         what.method);
    if (!cells.contains(name)) order.push_back(name);
    cells[name].push_back(&found->second);
  }
  if (order.empty()) return {};
  std::ranges::stable_sort(order, {}, [](auto const& name) { return std::get<0>(name.first); });
  std::string text = headline(s);
  text += std::format("  {:7} {:9} {:>8}  {:17} {:>5}  {:>15}  {:>15}  {:>8} {:>9} {:>8} {:>6}\n", "problem",
                      "optimizer", "start", "method", "seeds", "accuracy (worst)", "val loss (worst)", "diverged",
                      "rollbacks", "extra", "s");
  for (auto const& name : order) {
    auto const& [problem, optimizer, start] = name.first;
    std::vector<double> accuracy, loss, extra, wall, rollbacks;
    std::size_t diverged = 0;
    for (auto const* run : cells[name]) {
      accuracy.push_back(run->test_accuracy);
      loss.push_back(run->final_val_loss);
      extra.push_back(run->extra_work_fraction);
      wall.push_back(run->wall_seconds);
      rollbacks.push_back(static_cast<double>(run->rollbacks));
      diverged += run->diverged;
    }
    text += std::format("  {:7} {:9} {:>8}  {:17} {:>5}  {:>7} {:>8}  {:>7} {:>8}  {:>8} {:>9} {:>7}% {:>6}\n", problem,
                        optimizer, start > 0.0 ? std::format("{:.3g}", start) : "-", name.second, accuracy.size(),
                        shown(median(accuracy, 0.0), 3), shown(least(accuracy, 0.0), 3), shown(median(loss, 1e9), 3),
                        shown(greatest(loss, 1e9), 3), diverged, shown(median(rollbacks, 0.0), 0),
                        shown(100.0 * median(extra, 0.0), 1), shown(median(wall, 0.0), 1));
  }
  return text;
}

std::string sweep_text(results const& of, suite const& s) {
  auto const tables = sweep_tables(of, s);
  if (tables.empty()) return {};
  std::string text = headline(s);
  std::vector<double> prodigy;
  for (auto const& what : s.jobs)
    if (auto const found = of.all().find(what.key()); what.method == "prodigy" && found != of.all().end())
      prodigy.push_back(found->second.test_accuracy);
  if (!prodigy.empty())
    text += std::format("  mlp, prodigy, which needs no start: {}\n", shown(median(prodigy, 0.0), 3));
  for (auto const& table : tables) {
    text += std::format("  {}, {}, {} starts; best fixed {}, best cosine {}\n", table.problem, table.optimizer,
                        table.starts, shown(table.best_fixed, 3), shown(table.best_cosine, 3));
    text += std::format("    {:17} {:>6} {:>14} {:>15} {:>7} {:>6} {:>17} {:>5} {:>9} {:>7} {:>11}\n", "method",
                        "starts", "near best fix", "near best cosine", "median", "worst", "worse than alone", "dead",
                        "diverged", "extra", "controller");
    for (auto const& row : table.rows)
      text += std::format("    {:17} {:>6} {:>14} {:>15} {:>7} {:>6} {:>17} {:>5} {:>9} {:>6}% {:>10}%\n", row.method,
                          row.starts, row.near_best_fixed, row.near_best_cosine, shown(row.middle, 3),
                          shown(row.worst, 3), row.worse_than_alone, row.dead, row.diverged,
                          shown(100.0 * row.extra_work, 1), shown(100.0 * row.controller_share, 1));
  }
  return text;
}

std::string shift_text(results const& of, suite const& s) {
  auto const tables = shift_tables(of, s);
  if (tables.empty()) return {};
  std::string text = headline(s);
  for (auto const& table : tables) {
    text +=
        std::format("  {}\n    {:24} {:>5} {:>10} {:>11} {:>8} {:>11} {:>12} {:>10} {:>9}\n", table.regime, "method",
                    "seeds", "cumulative", "against best", "regret", "spike", "degradation", "recovery", "accuracy");
    for (auto const& row : table.rows)
      text += std::format("    {:24} {:>5} {:>10} {:>11}% {:>8} {:>10}x {:>12} {:>10} {:>9}\n", row.method, row.seeds,
                          shown(row.took.cumulative, 2), shown(100.0 * row.relative, 1), shown(row.regret, 2),
                          shown(row.took.spike, 2), shown(row.took.degradation, 3), shown(row.took.recovery, 2),
                          shown(row.accuracy, 3));
  }
  return text;
}

std::string best_cosine_text(results const& of, suite const& s) {
  auto const rows = unfamiliar_rows(of, s);
  if (rows.empty()) return {};
  std::string text = headline(s);
  text += std::format("  {:12} {:9} {:>6} {:>6} {:>12} {:>8} {:>12} {:>11} {:>7}\n", "problem", "optimizer", "ours",
                      "worst", "best cosine", "peak", "next cosine", "difference", "extra");
  for (auto const& row : rows) {
    bool const compared = std::isfinite(row.best_cosine);
    text += std::format("  {:12} {:9} {:>6} {:>6} {:>12} {:>8} {:>12} {:>11} {:>6}%\n", row.problem, row.optimizer,
                        shown(row.ours, 3), shown(row.worst, 3), shown(row.best_cosine, 3),
                        compared ? std::format("{:.2g}", row.best_peak) : "-", shown(row.next_cosine, 3),
                        compared ? std::format("{:+.1f}", 100.0 * (row.ours - row.best_cosine)) : "-",
                        shown(100.0 * row.extra_work, 1));
  }
  return text;
}

std::string synthetic_text(results const& of, suite const& s) {
  std::vector<std::tuple<std::string, std::string, std::string, double>> order;
  std::map<std::tuple<std::string, std::string, std::string, double>, std::vector<double>> cells;
  for (auto const& what : s.jobs) {
    auto const found = of.all().find(what.key());
    if (found == of.all().end()) continue;
    std::tuple const name(what.problem, what.regime, what.method, what.method == "ours" ? what.start_lr : 0.0);
    if (!cells.contains(name)) order.push_back(name);
    cells[name].push_back(found->second.final_val_loss);
  }
  if (order.empty()) return {};
  std::string text = headline(s);
  text += std::format("  {:15} {:12} {:14} {:>8} {:>5} {:>8} {:>8}\n", "problem", "regime", "method", "start", "seeds",
                      "median", "worst");
  for (auto const& name : order) {
    auto const& [problem, regime, method, start] = name;
    text += std::format("  {:15} {:12} {:14} {:>8} {:>5} {:>8} {:>8}\n", problem, regime, method,
                        start > 0.0 ? std::format("{:.3g}", start) : "-", cells[name].size(),
                        shown(median(cells[name], 1e9), 3), shown(greatest(cells[name], 1e9), 3));
  }
  return text;
}

std::string table(results const& of, suite const& s) {
  switch (s.table) {
    case layout::runs:
      return run_table(of, s);
    case layout::starts:
      return sweep_text(of, s);
    case layout::shifts:
      return shift_text(of, s);
    case layout::best_cosine:
      return best_cosine_text(of, s);
    case layout::synthetic:
      return synthetic_text(of, s);
  }
  return {};
}

}  // namespace

std::string report(results const& of, std::vector<suite> const& all) {
  std::string text;
  for (auto const& s : all) text += table(of, s);
  text += goals(of, all);
  double spent = 0.0;
  for (auto const& [key, run] : of.all()) spent += run.wall_seconds;
  return text + std::format("\n{} runs, which took {:.0f} minutes one after another\n", of.all().size(), spent / 60.0);
}

}  // namespace training
