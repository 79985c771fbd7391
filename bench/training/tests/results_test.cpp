#include "results.hpp"

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "suites.hpp"
#include "sweep_table.hpp"
#include "unfamiliar_table.hpp"
#include "workers.hpp"

using namespace training;

namespace {

struct file {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("training_results_" + std::to_string(::getpid()) + ".json");
  file() { std::filesystem::remove(path); }
  ~file() { std::filesystem::remove(path); }
  std::string text() const {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

record example(std::uint64_t seed) {
  record run{.what = {.problem = "mlp", .method = "fixed", .optimizer = "adam", .start_lr = 1e-3, .seed = seed},
             .final_val_loss = 0.1 + 0.2,
             .test_accuracy = 0.75,
             .wall_seconds = 1.0};
  run.history.push_back({.epoch = 1.0, .step = 188, .val_loss = unknown, .lr = 1e-3});
  return run;
}

record with(std::string method, double start, double accuracy) {
  return {.what = {.problem = "mlp", .method = std::move(method), .optimizer = "adam", .start_lr = start},
          .test_accuracy = accuracy,
          .wall_seconds = 1.0};
}

}  // namespace

TEST_CASE("results are an array of records with exactly these keys") {
  file const f;
  results all(f.path);
  CHECK(nlohmann::json::parse(f.text()).empty());
  all.add(example(0));
  all.add(example(1));
  auto const read = nlohmann::json::parse(f.text());
  REQUIRE(read.size() == 2);
  std::set<std::string> keys;
  for (auto const& [key, value] : read[0].items()) keys.insert(key);
  CHECK(keys == std::set<std::string>{"problem", "regime", "method", "optimizer", "start_lr", "seed", "final_val_loss",
                                      "best_val_loss", "test_accuracy", "diverged", "rollbacks", "restarts",
                                      "extra_work_fraction", "overfitted_fraction", "controller_seconds",
                                      "wall_seconds", "history"});
}

TEST_CASE("a record survives the file, NaN as null") {
  file const f;
  results(f.path).add(example(3));
  results const again(f.path);
  REQUIRE(again.has(example(3).what));
  CHECK_FALSE(again.has(example(4).what));
  auto const& run = again.all().at(example(3).what.key());
  CHECK(run.final_val_loss == 0.1 + 0.2);
  CHECK(std::isnan(run.best_val_loss));
  CHECK(std::isnan(run.history.at(0).val_loss));
  CHECK(run.history.at(0).step == 188);
}

TEST_CASE("a file that was cut off keeps the records before the cut, and takes new ones") {
  file const f;
  {
    results all(f.path);
    all.add(example(0));
    all.add(example(1));
  }
  auto const whole = f.text();
  std::ofstream(f.path) << whole.substr(0, whole.size() - 40);
  results all(f.path);
  CHECK(all.all().size() == 1);
  all.add(example(2));
  CHECK(nlohmann::json::parse(f.text()).size() == 2);
}

TEST_CASE("workers give each piece's result once, and an empty one for a piece that died") {
  std::vector<std::string> got(5, "none");
  in_processes(
      5, 2,
      [](std::size_t i) {
        if (i == 3) ::_exit(0);
        if (i == 4) throw 0;
        return std::string(100000, static_cast<char>('a' + i));
      },
      [&](std::size_t i, std::string const& text) { got[i] = text; }, [] { return false; });
  CHECK(got[0] == std::string(100000, 'a'));
  CHECK(got[2] == std::string(100000, 'c'));
  CHECK(got[3].empty());
  CHECK(got[4].empty());
}

TEST_CASE("workers that are stopped start nothing more") {
  std::size_t done = 0;
  in_processes(
      10, 1, [](std::size_t) { return std::string("x"); }, [&](std::size_t, std::string const&) { ++done; },
      [&] { return done == 2; });
  CHECK(done == 2);
}

TEST_CASE("the grid of starting rates has 36 from 1e-5 to 1e2, ten in two decades") {
  auto const rates = start_rates();
  REQUIRE(rates.size() == 36);
  CHECK(std::abs(rates.front() / 1e-5 - 1.0) < 1e-12);
  CHECK(std::abs(rates.back() / 1e2 - 1.0) < 1e-12);
  CHECK(std::abs(rates[10] / 1e-3 - 1.0) < 1e-12);
}

TEST_CASE("a sweep counts what is near the best, worse than the start left alone, and dead") {
  file const f;
  results all(f.path);
  suite s{"sweep", "", layout::starts};
  for (auto const& run :
       {with("fixed", 1e-3, 0.86), with("fixed", 1e-2, 0.8), with("fixed", 1.0, 0.1), with("cosine", 1e-3, 0.868),
        with("ours", 1e-3, 0.85), with("ours", 1e-2, 0.8551), with("ours", 1.0, unknown)}) {
    s.jobs.push_back(run.what);
    all.add(run);
  }
  auto const tables = sweep_tables(all, s);
  REQUIRE(tables.size() == 1);
  CHECK(tables[0].best_fixed == 0.86);
  CHECK(tables[0].best_cosine == 0.868);
  auto const* const ours = tables[0].find("ours");
  REQUIRE(ours != nullptr);
  CHECK(ours->starts == 3);
  CHECK(ours->near_best_fixed == 1);
  CHECK(ours->near_best_cosine == 0);
  CHECK(ours->worse_than_alone == 2);
  CHECK(ours->dead == 1);
  CHECK(ours->middle == 0.85);
}

TEST_CASE("a row of the unfamiliar has the best cosine, the next one, and the worst of ours") {
  file const f;
  results all(f.path);
  suite s{"unfamiliar", "", layout::best_cosine};
  auto const add = [&](record run, std::uint64_t seed, double extra = 0.0) {
    run.what.seed = seed;
    run.extra_work_fraction = extra;
    s.jobs.push_back(run.what);
    all.add(run);
  };
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    double const noise = 0.01 * static_cast<double>(seed);
    add(with("cosine", 1e-3, 0.80 + noise), seed);
    add(with("cosine", 1e-2, 0.85 + noise), seed);
    add(with("cosine", 1e-1, unknown), seed);
    add(with("ours", 1e-3, 0.83 + noise), seed, 0.05 + noise);
  }
  s.jobs.push_back({.problem = "cnn", .method = "ours", .optimizer = "adam"});  // not run yet
  auto const rows = unfamiliar_rows(all, s);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].problem == "mlp");
  CHECK(rows[0].best_cosine == 0.86);
  CHECK(rows[0].best_peak == 1e-2);
  CHECK(rows[0].next_cosine == 0.81);
  CHECK(rows[0].ours == 0.84);
  CHECK(rows[0].worst == 0.83);
  CHECK(rows[0].extra_work == 0.07);
}
