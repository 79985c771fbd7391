// Training comparisons: see --help.

#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <format>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dataset.hpp"
#include "record.hpp"
#include "report.hpp"
#include "results.hpp"
#include "run.hpp"
#include "suites.hpp"
#include "synthetic.hpp"
#include "workers.hpp"

namespace {

using namespace training;

sig_atomic_t volatile interrupted = 0;

struct flags {
  std::filesystem::path images = "/usr/share/datasets/fashion-mnist";
  std::filesystem::path text = "/usr/share/common-licenses";
  std::filesystem::path file;
  std::vector<std::string> only, problems, optimizers, methods;
  std::vector<double> starts;
  std::size_t jobs = 2;
  int threads = 1;
  suite_options options;
  bool again = false;
  bool report_only = false;
};

// What the runs read, loaded before any process is split off, so that all share it.
struct library {
  std::optional<dataset> images, text;

  dataset const& of(job const& what) const { return what.reads_text() ? text.value() : images.value(); }
};

bool chosen_among(std::vector<std::string> const& names, std::string_view name) {
  return names.empty() || std::ranges::find(names, name) != names.end();
}

std::vector<job> wanted(flags const& chosen, results const& have) {
  std::vector<job> todo;
  std::set<std::string> seen;
  for (auto const& s : suites(chosen.options)) {
    if (!chosen_among(chosen.only, s.name)) continue;
    for (auto const& what : s.jobs) {
      if (!chosen_among(chosen.problems, what.problem) || !chosen_among(chosen.optimizers, what.optimizer) ||
          !chosen_among(chosen.methods, what.method))
        continue;
      if (!chosen.starts.empty() && std::ranges::none_of(chosen.starts, [&](double start) {
            return std::abs(start - what.start_lr) <= 1e-6 * start;
          }))
        continue;
      if (!seen.insert(what.key()).second || (have.has(what) && !chosen.again)) continue;
      todo.push_back(what);
    }
  }
  return todo;
}

void progress(std::size_t done, std::size_t all, job const& what, double seconds) {
  double const left = seconds / static_cast<double>(done) * static_cast<double>(all - done);
  std::fprintf(stderr, "\r\033[K%s",
               std::format("{} of {} runs, {:.0f} min left: {} {} {} {} {:.3g}", done, all, left / 60.0, what.problem,
                           what.regime, what.method, what.optimizer, what.start_lr)
                   .c_str());
}

void do_all(flags const& chosen, std::vector<job> const& todo, results& into) {
  library data;
  auto const reads = [&](auto which) { return std::ranges::any_of(todo, which); };
  if (reads([](job const& j) { return !is_synthetic(j) && !j.reads_text(); }))
    data.images = fashion_mnist(chosen.images);
  if (reads(&job::reads_text)) data.text = characters(chosen.text);

  auto const began = std::chrono::steady_clock::now();
  std::size_t done = 0;
  in_processes(
      todo.size(), chosen.jobs,
      [&](std::size_t i) {
        if (is_synthetic(todo[i])) return to_json(run_synthetic(todo[i]));
        set_threads(chosen.threads);
        return to_json(run(todo[i], data.of(todo[i])));
      },
      [&](std::size_t i, std::string const& line) {
        if (line.empty())
          std::fprintf(stderr, "\r\033[KThis run failed: %s\n", todo[i].key().c_str());
        else
          into.add(from_json(line));
        progress(++done, todo.size(), todo[i],
                 std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
      },
      [] { return interrupted != 0; });
  std::fputs("\r\033[K", stderr);
}

// A run's length is no part of its key.
std::filesystem::path usual_file(suite_options const& options) {
  std::string name = options.quick ? "training-quick" : "training";
  if (options.epochs != 0) name += std::format("-{}-epochs", options.epochs);
  return std::filesystem::path(AUTOTUNENET_RESULTS) / (name + ".json");
}

int bench(int argc, char** argv) {
  flags chosen;
  CLI::App app{
      "Trains real networks under AutoTuneNet and under its peers, from the same weights in the same batch order.\n"
      "Runs that are in the results file are not done again, so a run that was ended goes on where it was."};
  auto const known = suites();
  std::set<std::string> names;
  for (auto const& s : known) names.emplace(s.name);
  auto const all_of = [&](std::string job::* part) {
    std::set<std::string> found;
    for (auto const& s : known)
      for (auto const& what : s.jobs) found.insert(what.*part);
    return CLI::IsMember(found);
  };
  app.add_flag("--quick", chosen.options.quick, "a small part of everything, in five minutes on two cores");
  app.add_option("--only", chosen.only, "suites")->delimiter(',')->check(CLI::IsMember(names));
  app.add_option("--problem", chosen.problems, "only runs of these models")
      ->delimiter(',')
      ->check(all_of(&job::problem));
  app.add_option("--optimizer", chosen.optimizers, "only runs of these optimizers")
      ->delimiter(',')
      ->check(all_of(&job::optimizer));
  app.add_option("--method", chosen.methods, "only runs of these methods")->delimiter(',')->check(all_of(&job::method));
  app.add_option("--start", chosen.starts, "only runs from these learning rates")->delimiter(',');
  app.add_option("--seeds", chosen.options.seeds, "seeds of every run; 0: as each suite has them");
  app.add_option("--epochs", chosen.options.epochs, "length of every run; 0: as each suite has it");
  app.add_option("--jobs", chosen.jobs, "runs side by side")->capture_default_str()->check(CLI::Range(1, 1024));
  app.add_option("--threads", chosen.threads, "LibTorch's threads in each")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  app.add_option("--results", chosen.file, "JSON file (build/results/training.json; others with --quick, --epochs)");
  app.add_option("--data", chosen.images, "folder of Fashion-MNIST")->capture_default_str();
  app.add_option("--text", chosen.text, "folder of the licence texts")->capture_default_str();
  app.add_flag("--again", chosen.again, "does runs again that are in the results");
  app.add_flag("--report", chosen.report_only, "only prints what the results file has");
  CLI11_PARSE(app, argc, argv);

  if (chosen.file.empty()) chosen.file = usual_file(chosen.options);

  results all(chosen.file);
  if (!chosen.report_only) {
    auto const todo = wanted(chosen, all);
    std::fprintf(stderr, "%zu runs to do, %zu in %s\n", todo.size(), all.all().size(), chosen.file.c_str());
    ::signal(SIGINT, [](int) { interrupted = 1; });
    auto const began = std::chrono::steady_clock::now();
    do_all(chosen, todo, all);
    if (!todo.empty())
      std::fprintf(stderr, "%.1f minutes\n",
                   std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() / 60.0);
  }
  std::fputs(report(all, suites(chosen.options)).c_str(), stdout);
  return interrupted != 0 ? 130 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return bench(argc, argv);
  } catch (std::exception const& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
  }
}
