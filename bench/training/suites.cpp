#include "suites.hpp"

#include <cmath>
#include <initializer_list>
#include <utility>

#include "regime.hpp"

namespace training {

namespace {

using names = std::vector<std::string>;

names const online{"fixed",         "cosine",           "step",          "plateau", "one_cycle", "hypergradient",
                   "random_online", "heuristic_online", "python_policy", "ours"};

void add(std::vector<job>& to, job what, std::size_t seeds) {
  for (std::size_t seed = 0; seed < seeds; ++seed) {
    what.seed = seed;
    to.push_back(what);
  }
}

// A parameter-free optimizer has no start: it runs once.
void add_prodigy(std::vector<job>& to, job what, std::size_t seeds) {
  what.method = what.optimizer = "prodigy";
  what.start_lr = 1.0;
  add(to, what, seeds);
}

suite scenarios(bool quick, std::size_t seeds) {
  suite s{"scenarios", "the Python library's five: fixed_lr, scheduler, offline_hpo, stress_test, autotunenet",
          layout::runs};
  std::size_t const n = seeds != 0 ? seeds : quick ? 1 : 5;
  for (auto const* problem : {"mlp", "cnn"}) {
    bool const small = std::string_view(problem) == "cnn";
    job const base{.problem = problem, .optimizer = "adam", .epochs = quick ? (small ? 2U : 5U) : 20U};
    std::size_t const few = small && seeds == 0 && !quick ? 3 : n;
    auto all = online;
    for (auto const* search : {"offline_equal", "offline_2.5x"})
      if (!(quick && small)) all.emplace_back(search);
    if (!quick || !small) all.emplace_back("ours_several");
    for (auto const& method : all) {
      if (quick && small && method != "fixed" && method != "cosine" && method != "ours") continue;
      auto what = base;
      what.method = method;
      add(s.jobs, what, few);
    }
    if (!(quick && small)) add_prodigy(s.jobs, base, few);
    for (auto const* method : {"fixed", "cosine", "plateau", "python_policy", "ours"}) {
      if (quick && small) continue;
      auto stressed = base;
      stressed.method = method;
      stressed.start_lr = 0.1;
      add(s.jobs, stressed, few);
    }
  }
  return s;
}

suite sweep(bool quick, std::size_t seeds) {
  suite s{"sweep", "the same run from starting rates between 1e-5 and 1e2", layout::starts};
  std::size_t const n = seeds != 0 ? seeds : 1;
  for (auto const* optimizer : {"adam", "sgd", "momentum"}) {
    bool const adam = std::string_view(optimizer) == "adam";
    job const base{.problem = "mlp", .optimizer = optimizer, .epochs = quick ? 5U : 20U};
    names const few{"fixed", "cosine", "plateau", "python_policy", "ours"}, fewest{"fixed", "cosine", "ours"};
    for (double const start : start_rates(quick ? (adam ? 12 : 6) : 36))
      for (auto const& method : quick ? (adam ? few : fewest) : (adam ? online : few)) {
        auto what = base;
        what.method = method;
        what.start_lr = start;
        add(s.jobs, what, n);
      }
    if (adam) add_prodigy(s.jobs, base, n);
  }
  if (quick) return s;
  for (double const start : start_rates(8))
    for (auto const* method : {"fixed", "cosine", "ours"})
      add(s.jobs, {.problem = "cnn", .method = method, .optimizer = "adam", .start_lr = start, .epochs = 20},
          seeds != 0 ? seeds : 3);
  return s;
}

suite shifts_suite(bool quick, std::size_t seeds) {
  suite s{"shifts", "something changes when half of the run is over", layout::shifts};
  std::size_t const n = seeds != 0 ? seeds : quick ? 1 : 3;
  for (auto const regime : shifts) {
    if (quick && regime != "label_noise" && regime != "data_shift") continue;
    job const base{.problem = "mlp", .regime = std::string(regime), .optimizer = "adam", .epochs = quick ? 6U : 20U};
    for (double exponent = -4.0; exponent <= -1.0; exponent += quick ? 1.0 : 0.5) {
      auto what = base;
      what.method = "fixed";
      what.start_lr = std::pow(10.0, exponent);
      add(s.jobs, what, n);
    }
    for (auto const* method : {"cosine", "plateau", "hypergradient", "heuristic_online", "python_policy", "ours"}) {
      auto what = base;
      what.method = method;
      add(s.jobs, what, n);
    }
  }
  return s;
}

suite parameters(bool quick, std::size_t seeds) {
  suite s{"parameters", "several parameters against the best cosine of one rate in hindsight", layout::runs};
  std::size_t const n = seeds != 0 ? seeds : quick ? 1 : 15;
  job const base{.problem = "mlp", .optimizer = "adam", .epochs = quick ? 5U : 20U};
  for (auto const* optimizer : {"adam", "momentum"}) {
    if (quick && std::string_view(optimizer) != "adam") continue;
    bool const adam = std::string_view(optimizer) == "adam";
    for (double const factor : {0.3, 1.0, 3.0, 10.0}) {
      auto what = base;
      what.optimizer = optimizer;
      what.method = "cosine";
      what.start_lr = (adam ? 1e-3 : 1e-2) * factor;
      add(s.jobs, what, n);
    }
    for (auto const* method : {"ours", "ours_several"}) {
      auto what = base;
      what.optimizer = optimizer;
      what.method = method;
      what.start_lr = adam ? 1e-3 : 1e-2;
      add(s.jobs, what, n);
    }
  }
  return s;
}

suite characters_suite(bool quick, std::size_t seeds) {
  suite s{"characters", "a recurrent network reads licences character by character", layout::runs};
  std::size_t const n = seeds != 0 ? seeds : quick ? 1 : 3;
  job const base{.problem = "gru", .optimizer = "adam", .epochs = quick ? 2U : 12U};
  for (double const start : {1e-4, 1e-3, 1e-2, 1e-1})
    for (auto const* method : {"fixed", "cosine", "plateau", "python_policy", "ours"}) {
      if (quick &&
          (start != 1e-2 || std::string_view(method) == "plateau" || std::string_view(method) == "python_policy"))
        continue;
      auto what = base;
      what.method = method;
      what.start_lr = start;
      add(s.jobs, what, n);
    }
  if (!quick) add_prodigy(s.jobs, base, n);
  return s;
}

// Eight starts of what the sweep has, with other ways to tell ours of a run.
suite few_starts(suite s, std::initializer_list<char const*> ours, bool quick, std::size_t seeds) {
  struct {
    char const *problem, *optimizer;
  } const pairs[] = {{"mlp", "adam"}, {"mlp", "sgd"}, {"mlp", "momentum"}, {"cnn", "adam"}};
  names methods{"fixed", "cosine"};
  methods.insert(methods.end(), ours.begin(), ours.end());
  for (auto const& [problem, optimizer] : pairs) {
    job what{.problem = problem, .optimizer = optimizer, .epochs = quick ? 10U : 20U};
    if (quick && (std::string_view(problem) != "mlp" || std::string_view(optimizer) != "adam")) continue;
    for (double const start : start_rates(8))
      for (auto const& method : methods) {
        what.start_lr = start;
        what.method = method;
        add(s.jobs, what, seeds != 0 ? seeds : quick ? 1 : 3);
      }
  }
  return s;
}

suite by_epochs(bool quick, std::size_t seeds) {
  return few_starts(
      {"epochs", "tuned by what epochs say alone: the mean training loss, or the validation loss", layout::starts},
      {"ours_epochs", "ours_validations"}, quick, seeds);
}

suite open_ended(bool quick, std::size_t seeds) {
  return few_starts({"open", "tuned without being told how long the run will be", layout::starts},
                    {"plateau", "ours_open"}, quick, seeds);
}

struct peaks {
  double lowest;
  double decades, apart;  // that they span, and from one to the next
};

// Ours from the usual start, and cosines from these peaks.
void add_against_cosines(std::vector<job>& to, job what, peaks of, std::size_t seeds) {
  what.method = "ours";
  job cosine = what;
  cosine.method = "cosine";
  for (double exponent = 0.0; exponent <= of.decades; exponent += of.apart) {
    cosine.start_lr = of.lowest * std::pow(10.0, exponent);
    add(to, cosine, seeds);
  }
  add(to, what, seeds);
}

// Each optimizer's cosines span what people use it with, a factor of 10^0.5 apart.
suite unfamiliar(bool quick, std::size_t seeds) {
  suite s{"unfamiliar", "networks and optimizers that no default was chosen on, in short runs", layout::best_cosine};
  std::size_t const n = seeds != 0 ? seeds : quick ? 1 : 2;
  struct {
    char const* optimizer;
    double lowest_peak;
  } const optimizers[] = {{"adamw", 1e-4}, {"rmsprop", 1e-4}, {"adagrad", 3e-4}, {"nesterov", 3e-3}, {"sgd", 3e-3}};
  for (auto const* problem : {"batch_norm", "deep_tanh", "linear", "squared_error", "transformer"})
    for (auto const& [optimizer, lowest_peak] : optimizers) {
      if (quick && (std::string_view(problem) == "transformer" || std::string_view(optimizer) != "adamw")) continue;
      job const base{.problem = problem, .optimizer = optimizer, .epochs = 5};
      add_against_cosines(s.jobs, base, {.lowest = lowest_peak, .decades = 3.0, .apart = 0.5}, n);
    }
  return s;
}

// What a network knows is worth more than what it has yet to learn: the best peaks are low.
suite fine_tuning(bool quick, std::size_t seeds) {
  suite s{"fine_tuning", "networks that were trained before, for five epochs more", layout::best_cosine};
  std::size_t const n = seeds != 0 ? seeds : quick ? 1 : 3;
  struct {
    char const* optimizer;
    double lowest_peak;
  } const optimizers[] = {{"adamw", 1e-6}, {"momentum", 1e-5}};
  for (auto const* problem : {"mlp", "cnn", "batch_norm"})
    for (auto const& [optimizer, lowest_peak] : optimizers) {
      if (quick && (std::string_view(problem) != "mlp" || std::string_view(optimizer) != "adamw")) continue;
      job const base{.problem = problem, .regime = std::string(trained_before), .optimizer = optimizer, .epochs = 5};
      add_against_cosines(s.jobs, base, {.lowest = lowest_peak, .decades = 4.0, .apart = 1.0}, n);
    }
  return s;
}

suite synthetic(bool quick, std::size_t seeds) {
  suite s{"synthetic", "the noisy quadratic and a drifting bandit", layout::synthetic};
  for (auto const* problem : {"quadratic_250", "quadratic_1000"}) {
    for (auto const* method : {"greedy", "best_constant", "best_cosine", "near_optimal"})
      s.jobs.push_back({.problem = problem, .method = method, .optimizer = "sgd"});
    for (double const start : {1e-3, 1e-1, 1.0})
      add(s.jobs, {.problem = problem, .method = "ours", .optimizer = "sgd", .start_lr = start},
          seeds != 0 ? seeds
          : quick    ? 3
                     : 10);
  }
  for (auto const* drift : {"drift_0.003", "drift_0.03"})
    for (auto const* method : {"gp_ucb", "tv_gp_ucb", "ours", "random"})
      add(s.jobs, {.problem = "bandit", .regime = drift, .method = method, .optimizer = "none", .start_lr = 0.0},
          seeds != 0 ? seeds
          : quick    ? 3
                     : 20);
  return s;
}

}  // namespace

std::vector<double> start_rates(std::size_t count) {
  std::vector<double> rates;
  for (std::size_t i = 0; i < count; ++i)
    rates.push_back(std::pow(10.0, -5.0 + 7.0 * static_cast<double>(i) / static_cast<double>(count - 1)));
  return rates;
}

std::vector<suite> suites(suite_options options) {
  auto const [quick, seeds, epochs] = options;
  std::vector<suite> all{
      scenarios(quick, seeds),        sweep(quick, seeds),     shifts_suite(quick, seeds), parameters(quick, seeds),
      characters_suite(quick, seeds), by_epochs(quick, seeds), open_ended(quick, seeds),   unfamiliar(quick, seeds),
      fine_tuning(quick, seeds),      synthetic(quick, seeds)};
  if (epochs == 0) return all;
  for (auto& s : all)
    for (auto& what : s.jobs) what.epochs = epochs;
  return all;
}

}  // namespace training
