#include <algorithm>
#include <bit>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <span>
#include <vector>

#include "support/mixed_space.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
using support::mixed_space;

namespace {

/// Noisy training with trouble now and then: NaN, nothing measured, values changed from outside.
struct training {
  std::mt19937_64 random;
  double level = 3.0;

  template <class Tuner>
  void step(Tuner& tuner) {
    suggestion const& next = tuner.ask();
    auto draw = [&] { return std::uniform_real_distribution<double>()(random); };
    double const apart = next.values.space().to_unit(0, next.values[0]) - 0.6;
    level *= 1.0 - 0.002 * (1.0 - 8.0 * apart * apart);
    if (!(level < 1e6)) level = 3.0;
    observation seen{.metric = level * (1.0 + 0.05 * (draw() - 0.5)), .restorable = true};
    double const trouble = draw();
    if (trouble < 0.01) seen.metric = std::numeric_limits<double>::quiet_NaN();
    if (trouble > 0.98) seen.result = outcome::skipped;
    std::vector<double> applied(next.values.values().begin(), next.values.values().end());
    if (trouble > 0.5 && trouble < 0.52) applied[0] *= 0.9;
    seen.applied = applied;
    if (trouble > 0.6 && trouble < 0.7) seen.noise = 0.1;
    tuner.tell(seen);
  }
};

bool same_bits(suggestion const& a, suggestion const& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    if (std::bit_cast<std::uint64_t>(a.values[i]) != std::bit_cast<std::uint64_t>(b.values[i])) return false;
  }
  return a.number == b.number && a.why == b.why && a.events == b.events && a.state == b.state &&
         a.values.size() == b.values.size();
}

struct recipe {
  char const* name;
  std::function<suggestions()> make;
};

std::vector<recipe> recipes() {
  auto const space = mixed_space;
  return {
      {"bayesian", [=] { return bayesian(space(), {.seed = 3, .window = 32, .half_life = 50.0}); }},
      {"bayesian, of levels",
       [=] { return bayesian(space(), {.seed = 3, .window = 32, .half_life = 50.0, .from = learned::level}); }},
      {"tpe", [=] { return tpe(space(), {.seed = 3, .window = 64}); }},
      {"quasi_random", [=] { return quasi_random(space(), {.seed = 3}); }},
      {"every", [=] { return tpe(space(), {.seed = 3}) | every(7); }},
      {"smooth", [=] { return tpe(space(), {.seed = 3}) | smooth({.window = 5}); }},
      {"smooth, exponential",
       [=] { return tpe(space(), {.seed = 3}) | smooth({.window = 5, .kind = averaging::exponential}); }},
      {"anneal", [=] { return tpe(space(), {.seed = 3}) | anneal({.horizon = 300, .rise = 0.1}); }},
      {"anneal on plateaus", [=] { return tpe(space(), {.seed = 3}) | anneal({.horizon = 0, .plateau_window = 10}); }},
      {"range_test", [=] { return tpe(space(), {.seed = 3}) | range_test({.horizon = 300}); }},
      {"bracket", [=] { return tpe(space(), {.seed = 3}) | bracket({.horizon = 300, .always = true}); }},
      {"branch_test",
       [=] {
         return quasi_random(space(), {.seed = 3}) | branch_test({.horizon = 300, .budget = 0.5, .least_steps = 8});
       }},
      {"guard", [=] { return tpe(space(), {.seed = 3}) | guard({.warm_up = 20, .max_regression = 0.01}); }},
      {"maximize", [=] { return tpe(space(), {.seed = 3}) | maximize(); }},
      {"everything",
       [=] {
         return make_pipeline({.parameters = space(), .tuning = {.objective = hook::step, .seed = 5, .horizon = 3000}});
       }},
  };
}

}  // namespace

TEST_CASE("what a pipeline suggests after a resume is bit for bit what it would have suggested") {
  for (recipe const& one : recipes()) {
    for (std::size_t const at : {0, 1, 2, 17, 30, 61, 64, 95, 150, 257, 310, 400}) {
      INFO(one.name << ", saved after " << at << " observations");
      suggestions original = one.make();
      training run{std::mt19937_64{at + 1}};
      for (std::size_t i = 0; i < at; ++i) run.step(original);
      std::vector<std::byte> const bytes = save(original);
      suggestions resumed = one.make();
      load(resumed, bytes);
      CHECK(save(resumed) == bytes);
      training same = run;
      bool alike = same_bits(original.ask(), resumed.ask());
      for (std::size_t i = 0; alike && i < 150; ++i) {
        run.step(original);
        same.step(resumed);
        alike = same_bits(original.ask(), resumed.ask());
      }
      CHECK(alike);
    }
  }
}

TEST_CASE("a run whose rate reaches down to the least number there is can be resumed anywhere") {
  constexpr double least = std::numeric_limits<double>::denorm_min();
  search_space const space{real{"one.lr", least, 1.0, scale::log}, real{"two.lr", least, 1.0, scale::log}};
  for (double const first : {least, 1e-3}) {
    configuration const start = space.at({{"one.lr", first}, {"two.lr", 1e-3}});
    auto const make = [&] {
      return make_pipeline({.tuning = {.objective = hook::step, .seed = 5, .horizon = 3000}}, start);
    };
    suggestions tuner = make();
    for (int step = 0; step < 400; ++step) {
      suggestion const& s = tuner.ask();
      tuner.tell({.metric = s.values[0] > 0.1 ? 9.0 : 1.0 / (1.0 + 0.01 * step), .restorable = true});
      if (step % 5 != 0) continue;
      INFO("first " << first << ", step " << step);
      std::vector<std::byte> const bytes = save(tuner);
      suggestions resumed = make();
      REQUIRE_NOTHROW(load(resumed, bytes));
      CHECK(same_bits(tuner.ask(), resumed.ask()));
    }
  }
}

TEST_CASE("a pipeline that was used for something else takes up what is loaded") {
  for (recipe const& one : recipes()) {
    INFO(one.name);
    suggestions original = one.make();
    training run{std::mt19937_64{1}};
    for (std::size_t i = 0; i < 130; ++i) run.step(original);
    suggestions used = one.make();
    training other{std::mt19937_64{2}};
    for (std::size_t i = 0; i < 70; ++i) other.step(used);
    load(used, save(original));
    training same = run;
    bool alike = true;
    for (std::size_t i = 0; alike && i < 100; ++i) {
      run.step(original);
      same.step(used);
      alike = same_bits(original.ask(), used.ask());
    }
    CHECK(alike);
  }
}

TEST_CASE("saving changes nothing") {
  for (recipe const& one : recipes()) {
    suggestions plain = one.make(), saved = one.make();
    training run{std::mt19937_64{1}}, same = run;
    bool alike = true;
    for (std::size_t i = 0; i < 200; ++i) {
      run.step(plain);
      same.step(saved);
      (void)save(saved);
      alike = alike && same_bits(plain.ask(), saved.ask());
    }
    INFO(one.name);
    CHECK(alike);
  }
}

TEST_CASE("a pipeline is as it was when what should be loaded is damaged anywhere") {
  for (recipe const& one : recipes()) {
    INFO(one.name);
    suggestions original = one.make();
    training run{std::mt19937_64{1}};
    for (std::size_t i = 0; i < 90; ++i) run.step(original);
    std::vector<std::byte> const bytes = save(original);
    std::mt19937_64 random(7);
    for (int attempt = 0; attempt < 200; ++attempt) {
      std::size_t const cut = random() % bytes.size();
      CHECK_THROWS_AS(load(original, std::span(bytes).first(cut)), checkpoint_error);
    }
    CHECK(save(original) == bytes);
    // What is changed may still make sense; whatever it does, nothing breaks, and the next load puts all back.
    for (int attempt = 0; attempt < 300; ++attempt) {
      std::vector<std::byte> hostile = bytes;
      for (int i = 0; i < 3; ++i) hostile[random() % hostile.size()] = static_cast<std::byte>(random());
      try {
        load(original, hostile);
        training onwards = run;
        for (int i = 0; i < 30; ++i) onwards.step(original);
      } catch (error const&) {
      }
      if (original.finished()) original = one.make();
      load(original, bytes);
    }
    CHECK(save(original) == bytes);
  }
}

TEST_CASE("a run goes on under the options it is resumed with: other bounds of a step, and a longer horizon") {
  constexpr double max_delta = 0.05;
  constexpr std::size_t planned = 500, longer = 1500;
  search_space const space{real{"lr", 1e-6, 1.0, scale::log}, real{"momentum", 0.0, 0.99}};
  auto const made = [&](std::uint64_t seed, std::size_t horizon, double delta) {
    return make_pipeline({.parameters = space,
                          .tuning = {.objective = hook::step, .seed = seed, .horizon = horizon, .max_delta = delta}});
  };
  for (std::size_t const at : {3U, 30U, 100U, 450U, 499U}) {
    INFO("resumed after " << at << " observations");
    suggestions original = made(1, planned, 0.5);
    training run{std::mt19937_64{at}};
    for (std::size_t i = 0; i < at; ++i) run.step(original);
    suggestions resumed = made(2, longer, max_delta);
    load(resumed, save(original));
    bool goes_freely = true;  // a trial or a remedy, which max_delta does not bound, or what was saved
    std::vector<double> ran(space.size());
    std::size_t passed = 0;
    for (std::size_t step = at; step < longer + 200; ++step) {
      suggestion const& next = resumed.ask();
      goes_freely = goes_freely || next.why == reason::range_test || next.why == reason::rollback ||
                    next.why == reason::back_off ||
                    has(next.state, training_state::return_to_trial | training_state::return_to_origin |
                                        training_state::return_to_best);
      for (std::size_t i = 0; i < space.size(); ++i) REQUIRE(space.contains(i, next.values[i]));
      if (!goes_freely) {
        constexpr double limit = (1.0 + max_delta) * (1.0 + 1e-9);
        REQUIRE(std::max(next.values[0] / ran[0], ran[0] / next.values[0]) <= limit);
        REQUIRE(std::abs(next.values[1] - ran[1]) <= max_delta * std::max(ran[1], 0.099) * (1.0 + 1e-9));
      }
      goes_freely = next.why == reason::range_test;
      if (has(next.events, event::horizon_passed)) passed = step;
      ran.assign(next.values.values().begin(), next.values.values().end());
      resumed.tell({.metric = 3.0 / static_cast<double>(step + 1), .applied = ran, .restorable = true});
    }
    CHECK(passed >= longer);
  }
}

namespace {

suggestions in_a_coroutine(search_space space) {
  suggestion next{.number = 0, .values = space.center()};
  for (;;) {
    ++next.number;
    co_yield next;
  }
}

/// A user's own tuner that can be saved.
struct counting {
  suggestion next;
  double seen = 0.0;
  suggestion const& ask() {
    ++next.number;
    return next;
  }
  void tell(observation const& o) {
    seen += o.metric;
    next.values.assign(0, seen);
  }
  void fields(archive& a) {
    a.section("counting");
    a(next)(seen);
  }
};

}  // namespace

TEST_CASE("a tuner of one's own is saved where it has fields, and refused where it is only a coroutine") {
  search_space const space{real{"x", 0.0, 100.0}};
  suggestions hidden = in_a_coroutine(space) | guard();
  CHECK_THROWS_MATCHES(save(hidden), checkpoint_error, MessageMatches(ContainsSubstring("`fields`")));

  suggestions own = drive(counting{{.values = space.center()}}) | every(1);
  for (double metric : {1.0, 2.0}) {
    own.ask();
    own.tell(metric);
  }
  suggestions resumed = drive(counting{{.values = space.center()}}) | every(1);
  load(resumed, save(own));
  resumed.tell(4.0);
  CHECK(resumed.ask().values[0] == 7.0);
  CHECK(resumed.ask().number == 4);
}

TEST_CASE("a tuner that has finished resumes as finished") {
  auto const twice = [](search_space space) {
    struct ending {
      suggestion next;
      int left = 2;
      suggestion const& ask() {
        ++next.number;
        return next;
      }
      void tell(observation const&) {
        if (--left == 0) throw tuning_finished("enough");
      }
      void fields(archive& a) { a(next)(left); }
    };
    return drive(ending{{.values = space.center()}});
  };
  search_space const space{real{"x", 0.0, 1.0}};
  suggestions over = twice(space);
  over.ask();
  over.tell(1.0);
  over.ask();
  CHECK_THROWS_AS(over.tell(1.0), tuning_finished);
  suggestions resumed = twice(space);
  std::vector<std::byte> const going = save(resumed);
  load(resumed, save(over));
  CHECK(resumed.finished());
  CHECK_THROWS_MATCHES(load(resumed, going), checkpoint_error, MessageMatches(ContainsSubstring("has finished")));
}
