#include "goals.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <span>

namespace suggest {

namespace {

constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();

double median(std::vector<double> values) {
  if (values.empty()) return not_measured;
  auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

void medians::ReportRuns(std::vector<Run> const& report) {
  std::vector<Run> shown;
  for (Run const& run : report) {
    if (run.run_type == Run::RT_Aggregate ? run.aggregate_name == "median" : run.repetitions <= 1) shown.push_back(run);
    if (run.run_type != Run::RT_Iteration || run.iterations == 0) continue;
    repeats& kept = all_[run.run_name.function_name + (run.run_name.args.empty() ? "" : "/" + run.run_name.args)];
    kept.nanoseconds.push_back(1e9 * run.cpu_accumulated_time / static_cast<double>(run.iterations));
    for (auto const& [name, value] : run.counters) kept.counters[name].push_back(value);
  }
  if (!shown.empty()) ConsoleReporter::ReportRuns(shown);
}

double medians::time(std::string const& name) const {
  auto const found = all_.find(name);
  return found == all_.end() ? not_measured : median(found->second.nanoseconds);
}

double medians::counter(std::string const& name, std::string const& which) const {
  auto const found = all_.find(name);
  if (found == all_.end()) return not_measured;
  auto const values = found->second.counters.find(which);
  return values == found->second.counters.end() ? not_measured : median(values->second);
}

void print(std::span<goal const> all) {
  std::printf("\n| what | goal | reached | held |\n|---|---|---|---|\n");
  for (goal const& one : all) {
    if (std::isnan(one.reached))
      std::printf("| %s | at most %g%s | not measured | |\n", one.what, one.limit, one.unit);
    else
      std::printf("| %s | at most %g%s | %.3g%s | %s |\n", one.what, one.limit, one.unit, one.reached, one.unit,
                  one.reached <= one.limit ? "yes" : "no");
  }
}

}  // namespace suggest
