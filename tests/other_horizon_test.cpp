#include <algorithm>
#include <array>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <coroutine>
#include <cstddef>
#include <vector>

#include "support/noisy_quadratic.hpp"

import autotunenet;
import support.trainee;

using namespace autotunenet;
using support::noisy_quadratic;
using support::trainee;

namespace {

suggestions pipeline(std::size_t horizon, hook objective) {
  search_space const space{real{"lr", 1e-6, 1e2, scale::log}, real{"momentum", 0.0, 0.9}};
  return make_pipeline({.tuning = {.objective = objective, .seed = 1, .horizon = horizon}},
                       space.at({{"lr", 1e-4}, {"momentum", 0.5}}));
}

/// The quadratic, trained by a pipeline. A step of the run is one of training, or an epoch of some.
struct run {
  suggestions tuner;
  trainee<noisy_quadratic> training{noisy_quadratic(3)};
  coverage covers = coverage::step;
  bool carried_out = false;  // what the pending suggestion asks for: a resumed one does not ask twice

  suggestion step() {
    suggestion const now = tuner.ask();
    if (!carried_out) training.carry_out(now.state);
    double loss = training.now.step(now.values["lr"]);
    for (int more = 0; covers == coverage::epoch && more < 10; ++more) loss = training.now.step(now.values["lr"]);
    tuner.tell({.metric = loss, .restorable = true, .covers = covers});
    training.carry_out(tuner.ask().state);
    carried_out = true;
    return now;
  }
  std::vector<suggestion> steps(std::size_t count) {
    std::vector<suggestion> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(step());
    return all;
  }
  run resumed(std::size_t horizon) {
    hook const objective = covers == coverage::epoch ? hook::epoch : hook::step;
    run made{pipeline(horizon, objective), training, covers, carried_out};
    load(made.tuner, save(tuner));
    CHECK(save(made.tuner).size() > 0);
    return made;
  }
};

run begun(std::size_t horizon, std::size_t steps, coverage covers = coverage::step) {
  run made{.tuner = pipeline(horizon, covers == coverage::epoch ? hook::epoch : hook::step), .covers = covers};
  made.steps(steps);
  return made;
}

std::size_t trials(std::vector<suggestion> const& all) {
  return static_cast<std::size_t>(std::ranges::count(all, reason::range_test, &suggestion::why));
}
std::size_t before_trials_end(std::vector<suggestion> const& all) {
  auto const ended = [](suggestion const& s) { return has(s.events, event::range_test_ended); };
  return static_cast<std::size_t>(std::ranges::find_if(all, ended) - all.begin());
}

}  // namespace

TEST_CASE("a run is resumed with any other horizon, wherever it was saved, and returns only to what was saved") {
  constexpr std::array<std::size_t, 8> horizons{0, 300, 500, 2000, 2400, 3000, 4000, 20000};
  std::size_t const from = GENERATE(0U, 300U, 500U, 2000U, 2400U, 3000U, 4000U, 20000U);
  std::size_t const length = std::min<std::size_t>(from == 0 ? 2000 : from, 4000);
  run original = begun(from, 0);
  std::size_t done = 0;
  for (std::size_t const at : {0U, 1U, 20U, 45U, 75U, 120U, 180U, 240U, 330U, 420U, 900U, 1800U, 4000U}) {
    if (at > length) break;
    original.steps(at - done);
    done = at;
    for (std::size_t const to : horizons) {
      INFO("horizon " << from << ", saved after " << at << ", resumed with horizon " << to);
      run next = original.resumed(to);
      std::size_t const planned = to == 0 ? 2000 : to;
      std::vector<suggestion> const rest =
          next.steps(std::clamp<std::size_t>(planned - std::min(planned, at), 300, 900));
      CHECK(static_cast<double>(trials(rest)) <= 100.0 + 0.1 * static_cast<double>(std::max({from, to, length})));
      if (at >= 300) CHECK(next.training.now.loss() < 0.5 * noisy_quadratic(3).loss());
    }
  }
}

TEST_CASE("a run that has come to its end goes on over a longer horizon, and tries nothing once more") {
  for (std::size_t const from : {0U, 300U, 2000U, 3000U}) {
    for (std::size_t const to : {3500U, 5000U}) {
      INFO("horizon " << from << ", gone on with horizon " << to);
      std::size_t const end = from == 0 ? 1500 : from;
      run original = begun(from, 0);
      std::vector<suggestion> const first = original.steps(end);
      run next = original.resumed(to);
      double const before = next.training.now.loss();
      // What is due later in the longer run was not tried yet.
      bool const branches_to_come = static_cast<double>(end) < 0.08 * static_cast<double>(to) + 100.0;
      std::vector<suggestion> const rest = next.steps(to - end);
      if (branches_to_come) continue;
      CHECK(trials(rest) == 0);
      // The rate is soon where it was at that part of the shorter run, and falls once more.
      double const progress = static_cast<double>(end + 100) / static_cast<double>(to);
      auto const then = static_cast<std::size_t>(progress * static_cast<double>(end));
      if (from > 0) CHECK(rest[100].values["lr"] > 0.3 * first[then].values["lr"]);
      CHECK(rest[100].values["lr"] > 3.0 * rest.back().values["lr"]);
      CHECK(next.training.now.loss() < 2.0 * before + 0.1);
    }
  }
}

TEST_CASE("a sweep and branches under way end as they began, whatever the horizon is then") {
  auto const go_on_alike = [](std::size_t from, std::size_t at, std::size_t to) {
    INFO("horizon " << from << ", saved after " << at << ", resumed with horizon " << to);
    run original = begun(from, at);
    REQUIRE(original.tuner.ask().why == reason::range_test);
    run next = original.resumed(to);
    std::vector<suggestion> const unbroken = original.steps(400), rest = next.steps(400);
    std::size_t const end = before_trials_end(unbroken);
    REQUIRE(end < 400);
    REQUIRE(before_trials_end(rest) == end);
    for (std::size_t i = 0; i < end; ++i) CHECK(rest[i].values["lr"] == unbroken[i].values["lr"]);
  };
  for (std::size_t const to : {0U, 300U, 2000U, 20000U}) {
    go_on_alike(4000, 10, to);
    go_on_alike(500, 10, to);
    go_on_alike(4000, 460, to);
  }
}

TEST_CASE("what has yet to begin goes by the horizon of the resume: branches in a run made longer, none in a shorter") {
  auto const tried_after = [](std::size_t steps, std::size_t from, std::size_t to) {
    std::vector<suggestion> const all = begun(from, 10).resumed(to).steps(900);
    return trials({all.begin() + static_cast<std::ptrdiff_t>(steps), all.end()});
  };
  CHECK(tried_after(330, 2000, 4000) > 100);
  CHECK(tried_after(450, 4000, 2000) == 0);
  // Once training has come past the time of branches it is too late for them.
  CHECK(trials(begun(2000, 700).resumed(4000).steps(900)) == 0);
  CHECK(trials(begun(2000, 350).resumed(20000).steps(2000)) > 100);
}

TEST_CASE("a run of epochs is resumed with any other horizon, in its search and after it") {
  constexpr std::array<std::size_t, 6> horizons{0, 3, 5, 20, 40, 400};
  for (std::size_t const from : horizons) {
    for (std::size_t const at : {0U, 1U, 2U, 3U, 5U, 12U, 20U, 39U, 60U}) {
      for (std::size_t const to : horizons) {
        INFO("horizon " << from << ", saved after " << at << ", resumed with horizon " << to);
        run original = begun(from, at, coverage::epoch);
        bool const searched = at > 0 && original.tuner.ask().why != reason::range_test && at >= 30 && from != 400;
        std::vector<suggestion> const rest = original.resumed(to).steps(100);
        if (searched) CHECK(trials(rest) == 0);
        CHECK(trials(rest) < rest.size());
      }
    }
  }
}
