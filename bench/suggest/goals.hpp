#pragma once
#include <benchmark/benchmark.h>

#include <map>
#include <span>
#include <string>
#include <vector>

namespace suggest {

/// Shows medians on the console, and keeps every repeat: ratios and differences of goals are those of medians of
/// repeats, which ran interleaved.
class medians : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(std::vector<Run> const& report) override;

  /// Nanoseconds of CPU a step; NaN where it was not measured.
  double time(std::string const& name) const;
  double counter(std::string const& name, std::string const& which) const;

 private:
  struct repeats {
    std::vector<double> nanoseconds;
    std::map<std::string, std::vector<double>> counters;
  };
  std::map<std::string, repeats> all_;
};

struct goal {
  char const* what;
  double limit;
  double reached;
  char const* unit = "";
};

/// A table of what was reached.
void print(std::span<goal const> all);

/// Runs all benchmarks of the program. Repeats are interleaved unless the caller's flags say otherwise; false where
/// those cannot be understood.
bool run_all(int count, char** given, medians& into);

}  // namespace suggest
