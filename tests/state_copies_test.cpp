#include <catch2/catch_test_macros.hpp>
#include <coroutine>
#include <string>
#include <utility>

#include "support/noisy_quadratic.hpp"

import autotunenet;

using namespace autotunenet;
using enum training_state;

TEST_CASE("each return brings back what was saved for it") {
  state_copies<std::string> kept;
  std::string now = "best";
  CHECK(kept.carry_out(mark_best, now) == keep);
  now = "trial";
  CHECK(kept.carry_out(mark_trial, now) == keep);
  now = "origin";
  CHECK(kept.carry_out(mark_origin, now) == keep);
  now = "good";
  CHECK(kept.carry_out(mark_candidate, now) == keep);
  now = "candidate";
  CHECK(kept.carry_out(promote | mark_candidate, now) == keep);
  for (auto const& [asked, saved] : {std::pair{return_to_best, "best"}, std::pair{return_to_trial, "trial"},
                                     std::pair{return_to_good, "good"}, std::pair{return_to_origin, "origin"}}) {
    now = "lost";
    CHECK(kept.carry_out(asked, now) == asked);
    CHECK(now == saved);
  }
  kept.carry_out(promote, now);
  CHECK(kept.carry_out(return_to_good, now) == return_to_good);
  CHECK(now == "candidate");
}

TEST_CASE("what is asked for at once is carried out in the order of declaration") {
  state_copies<std::string> kept;
  std::string now = "before";
  kept.carry_out(mark_origin, now);
  now = "run";
  CHECK(kept.carry_out(mark_trial | return_to_origin, now) == return_to_origin);
  CHECK(now == "before");
  CHECK(kept.carry_out(return_to_trial | drop_trial | drop_origin, now) == return_to_trial);
  CHECK(now == "run");
}

TEST_CASE("a return that nothing was saved for, or no longer, changes nothing") {
  state_copies<std::string> kept;
  std::string now = "here";
  CHECK(kept.carry_out(return_to_best | return_to_trial | return_to_good | return_to_origin | promote, now) == keep);
  kept.carry_out(mark_trial | mark_origin, now);
  kept.carry_out(drop_trial | drop_origin, now);
  now = "there";
  CHECK(kept.carry_out(return_to_trial | return_to_origin, now) == keep);
  CHECK(now == "there");
}

TEST_CASE("before anything was promoted the good state is the candidate") {
  state_copies<std::string> kept;
  std::string now = "first";
  kept.carry_out(mark_candidate, now);
  now = "lost";
  CHECK(kept.carry_out(return_to_good, now) == return_to_good);
  CHECK(now == "first");
}

TEST_CASE("an engine of one's own trains well from any start with them") {
  constexpr int steps = 2000;
  for (double const start : {1e-6, 1e-2, 100.0}) {
    search_space const space{real{"lr", 1e-6, 100.0, scale::log}};
    suggestions tuning = make_pipeline({.tuning = {.seed = 1, .horizon = steps}}, space.at({{"lr", start}}));
    support::noisy_quadratic network(3);
    double const before = network.loss();
    state_copies<support::noisy_quadratic> kept;
    for (int step = 0; step < steps; ++step) {
      suggestion const& now = tuning.ask();
      kept.carry_out(now.state, network);
      double const loss = network.step(now.values["lr"]);
      tuning.tell({.metric = loss, .restorable = true, .covers = coverage::step});
    }
    INFO("start " << start);
    CHECK(network.loss() < 0.05 * before);
  }
}
