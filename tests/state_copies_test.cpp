#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <coroutine>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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

TEST_CASE("a run that ends in a trial takes up again what the trial began from") {
  state_copies<std::string> kept;
  std::string now = "start";
  CHECK_FALSE(kept.leave_trial(now));
  kept.carry_out(mark_origin, now);
  now = "swept";
  CHECK(kept.leave_trial(now));
  CHECK(now == "start");

  now = "run";
  kept.carry_out(mark_trial | return_to_origin, now);
  now = "tried from the start";
  CHECK(kept.leave_trial(now));
  CHECK(now == "run");
}

TEST_CASE("a run ends outside of trials, whether the next one would begin, one goes on, or the last has just ended") {
  state_copies<std::string> kept;
  std::string now = "start";
  kept.carry_out(mark_origin, now);
  now = "run";
  for (training_state const begins : {mark_trial, mark_trial | return_to_origin}) {
    kept.finish({.values = {}, .why = reason::range_test, .state = begins}, now);
    CHECK(now == "run");
    now = "tried";
    kept.finish({.values = {}, .why = reason::range_test}, now);
    CHECK(now == "run");
    now = "tried";
    kept.finish({.values = {}, .why = reason::hold, .state = return_to_trial | drop_trial}, now);
    CHECK(now == "run");
  }
  now = "swept";
  kept.finish({.values = {}, .why = reason::range_test}, now);
  CHECK(now == "start");
}

TEST_CASE("wherever a run ends, it ends about as good as training outside of trials was last") {
  using network = support::noisy_quadratic;
  search_space const space{real{"lr", 1e-6, 100.0, scale::log}};
  for (std::size_t const horizon : {600U, 3000U}) {
    suggestions tuning = make_pipeline({.tuning = {.seed = 1, .horizon = horizon}}, space.at({{"lr", 1e-3}}));
    network net(3);
    state_copies<network> kept;
    double outside = net.loss();
    for (std::size_t step = 0; step < horizon / 2; ++step) {
      suggestion const& now = tuning.ask();
      kept.carry_out(now.state, net);
      if (now.why != reason::range_test) outside = net.loss();
      double const loss = net.step(now.values["lr"]);
      tuning.tell({.metric = loss, .restorable = true, .covers = coverage::step});

      network ended = net;
      state_copies<network> copies = kept;
      copies.finish(tuning.ask(), ended);
      INFO("horizon " << horizon << ", ended after step " << step);
      CHECK(ended.loss() < 2.0 * outside + 0.5);
    }
  }
}

TEST_CASE("copies go into a checkpoint and come back, and without them a return is told to lack what it needs") {
  state_copies<std::string> kept;
  std::string now = "origin";
  kept.carry_out(mark_origin | mark_candidate, now);
  now = "best";
  kept.carry_out(mark_best | promote, now);
  std::map<std::string, std::string> file;
  kept.each([&](std::string_view name, std::optional<std::string>& copy) {
    if (copy) file[std::string(name)] = *copy;
  });
  CHECK(file == std::map<std::string, std::string>{{"best", "best"}, {"good", "origin"}, {"origin", "origin"}});

  state_copies<std::string> resumed;
  resumed.each([&](std::string_view name, std::optional<std::string>& copy) {
    if (auto const found = file.find(std::string(name)); found != file.end()) copy = found->second;
  });
  CHECK(resumed.carry_out(return_to_good, now) == return_to_good);
  CHECK(now == "origin");
  CHECK_FALSE(resumed.lacked());

  state_copies<std::string> empty;
  now = "here";
  CHECK(empty.carry_out(return_to_origin, now) == keep);
  CHECK(empty.lacked());
}

TEST_CASE("a run with copies of its own goes on after a kill in any phase as it would have without") {
  constexpr int steps = 2000;
  using network = support::noisy_quadratic;
  search_space const space{real{"lr", 1e-6, 100.0, scale::log}};
  settings const chosen{.tuning = {.seed = 1, .horizon = steps}};
  auto const run = [&](int killed_at) {
    suggestions tuning = make_pipeline(chosen, space.at({{"lr", 1e-3}}));
    network net(3);
    state_copies<network> kept;
    for (int step = 0; step < steps; ++step) {
      if (step == killed_at) {
        auto const bytes = save(tuning);
        std::map<std::string, network> copies;
        kept.each([&](std::string_view name, std::optional<network>& copy) {
          if (copy) copies.emplace(name, *copy);
        });
        tuning = make_pipeline(chosen, space.at({{"lr", 1e-3}}));
        load(tuning, bytes);
        kept = {};
        kept.each([&](std::string_view name, std::optional<network>& copy) {
          if (auto const found = copies.find(std::string(name)); found != copies.end()) copy = found->second;
        });
      }
      suggestion const& now = tuning.ask();
      kept.carry_out(now.state, net);
      double const loss = net.step(now.values["lr"]);
      tuning.tell({.metric = loss, .restorable = true, .covers = coverage::step});
    }
    CHECK_FALSE(kept.lacked());
    return net.loss();
  };
  double const unbroken = run(-1);
  for (int const at : {1, 10, 40, 62, 100, 150, 200, 400, 1500}) {
    INFO("killed at " << at);
    CHECK(run(at) == unbroken);
  }
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
