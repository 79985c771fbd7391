#include <algorithm>
#include <cmath>
#include <format>
#include <string>
#include <vector>

#include "report.hpp"
#include "shift_table.hpp"
#include "statistics.hpp"
#include "sweep_table.hpp"

namespace training {

namespace {

struct goal {
  std::string what, peers, wanted, reached;
  bool met = false;
};

suite const& named(std::vector<suite> const& all, std::string_view name) {
  return *std::ranges::find(all, name, &suite::name);
}

std::string of_starts(sweep_row const* row, std::size_t count) {
  return row == nullptr ? "-" : std::format("{} of {}", count, row->starts);
}

void sweep_goals(std::vector<goal>& into, sweep_table const& table) {
  auto const* const ours = table.find("ours");
  if (ours == nullptr) return;
  auto const peers = [&](auto count) {
    std::string text;
    for (auto const* method : {"fixed", "cosine", "python_policy"})
      if (auto const* const row = table.find(method))
        text += std::format("{}{} {}", text.empty() ? "" : ", ", method, count(*row));
    return text;
  };
  auto const where = table.problem + ", " + table.optimizer + ": ";
  bool const all = ours->starts == table.starts;
  // What was not run is nothing to compare with.
  bool const fixed = std::isfinite(table.best_fixed), cosine = std::isfinite(table.best_cosine);
  if (fixed)
    into.push_back({where + "starts within 0.5 points of the best fixed rate",
                    peers([](sweep_row const& r) { return r.near_best_fixed; }), std::format("{}", table.starts),
                    of_starts(ours, ours->near_best_fixed), all && ours->near_best_fixed == table.starts});
  if (cosine)
    into.push_back({where + "median over the starts",
                    peers([](sweep_row const& r) { return std::format("{:.3f}", r.middle); }),
                    std::format(">= {:.3f}", table.best_cosine - 0.003), std::format("{:.3f}", ours->middle),
                    all && ours->middle >= table.best_cosine - 0.003});
  if (fixed)
    into.push_back({where + "ends worse than the same start left alone",
                    peers([](sweep_row const& r) { return r.worse_than_alone; }), "0",
                    of_starts(ours, ours->worse_than_alone), all && ours->worse_than_alone == 0});
  into.push_back({where + "dead at the end", peers([](sweep_row const& r) { return r.dead; }), "0",
                  of_starts(ours, ours->dead), all && ours->dead == 0});
  into.push_back({where + "extra work at most", "", "<= 10 %", std::format("{:.1f} %", 100.0 * ours->extra_work),
                  ours->extra_work <= 0.1});
}

void parameter_goals(std::vector<goal>& into, results const& of, suite const& s) {
  for (auto const* optimizer : {"adam", "momentum"}) {
    std::map<double, std::vector<double>> cosine;
    std::vector<double> several, alone;
    for (auto const& what : s.jobs) {
      auto const found = of.all().find(what.key());
      if (what.optimizer != optimizer || found == of.all().end()) continue;
      double const accuracy = found->second.test_accuracy;
      if (what.method == "cosine") cosine[what.start_lr].push_back(accuracy);
      if (what.method == "ours_several") several.push_back(accuracy);
      if (what.method == "ours") alone.push_back(accuracy);
    }
    if (several.empty() || cosine.empty()) continue;
    double const best = ranked(cosine).front().accuracy;
    double const reached = median(several, 0.0);
    into.push_back({std::format("mlp, {}: several parameters against the best cosine, median of {} seeds", optimizer,
                                several.size()),
                    std::format("cosine {:.3f}", best), std::format("> {:.3f}", best),
                    std::format("{:.3f} (lr alone {:.3f})", reached, median(alone, 0.0)), reached > best});
  }
}

void shift_goals(std::vector<goal>& into, results const& of, suite const& s) {
  for (auto const& table : shift_tables(of, s)) {
    auto const row = [&](std::string_view method) { return std::ranges::find(table.rows, method, &shift_row::method); };
    auto const ours = row("ours"), python = row("python_policy");
    if (ours == table.rows.end()) continue;
    into.push_back({std::format("{}: cumulative loss after the shift against the best fixed rate", table.regime),
                    python == table.rows.end() ? "" : std::format("python_policy {:+.1f} %", 100.0 * python->relative),
                    "<= -10 %", std::format("{:+.1f} %", 100.0 * ours->relative), ours->relative <= -0.1});
  }
}

void quadratic_goal(std::vector<goal>& into, results const& of) {
  auto const closed = [&](std::string_view method, int digits) {
    job const what{.problem = "quadratic_1000", .method = std::string(method), .optimizer = "sgd"};
    auto const found = of.all().find(what.key());
    return found == of.all().end() ? "-" : std::format("{:.{}f}", found->second.final_val_loss, digits);
  };
  std::vector<double> reached;
  for (auto const& [key, run] : of.all())
    if (run.what.problem == "quadratic_1000" && run.what.method == "ours") reached.push_back(run.final_val_loss);
  if (reached.empty()) return;
  double const ours = median(reached, 1e9);
  into.push_back({"noisy quadratic, 1000 steps: final loss, median of seeds and starts",
                  std::format("constant {}, cosine {}, near optimal {}", closed("best_constant", 2),
                              closed("best_cosine", 3), closed("near_optimal", 3)),
                  "< 0.110", std::format("{:.3f}", ours), ours < 0.11});
}

}  // namespace

std::string goals(results const& of, std::vector<suite> const& all) {
  std::vector<goal> rows;
  for (auto const& table : sweep_tables(of, named(all, "sweep"))) sweep_goals(rows, table);
  parameter_goals(rows, of, named(all, "parameters"));
  shift_goals(rows, of, named(all, "shifts"));
  quadratic_goal(rows, of);
  if (rows.empty()) return {};
  std::string text = "\ngoals\n";
  for (auto const& row : rows)
    text += std::format("  {:3} {:74}\n      goal {:9} reached {:24} {}{}\n", row.met ? "yes" : "no", row.what,
                        row.wanted, row.reached, row.peers.empty() ? "" : "peers: ", row.peers);
  return text;
}

}  // namespace training
