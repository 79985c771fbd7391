#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/lasting.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

search_space space() { return {real{"rate", 1e-5, 1.0, scale::log}}; }

struct unmoved : observer {
  void suggested(suggestion const&) override {}
  void observed(suggestion const&, observation const&) override {}
};

/// Stages that hand on a reference to what the tuner inside suggests, and one that does not.
std::vector<std::pair<char const*, std::function<suggestions(suggestions)>>> stages() {
  static unmoved nobody;
  return {{"smooth", smooth({.window = 3})},
          {"maximize", maximize()},
          {"watch", watch(nobody)},
          {"anneal, without a learning rate", anneal({.horizon = 100})},
          {"every", every(3)},
          {"guard", guard()}};
}

/// What was saved up to the word whether the tuner inside has ended, which says yes.
std::vector<std::byte> ended_inside(suggestions& outer, std::string_view section) {
  std::vector<std::byte> bytes = save(outer);
  std::string_view const all(reinterpret_cast<char const*>(bytes.data()), bytes.size());
  std::size_t const end = all.find(section) - sizeof(std::size_t);  // behind the length of the name
  REQUIRE(end < bytes.size());
  bytes.resize(end);
  bytes.back() = std::byte{1};
  return bytes;
}

struct nothing_known {
  void fields(archive& a) { a.section("holding on"); }
};

/// A stage that goes on with the last suggestion where the tuner inside has ended.
suggestions holding_on(nothing_known, suggestions inner) {
  suggestion last = inner.ask();
  for (;;) {
    observation const& seen = co_yield last;
    try {
      inner.tell(seen);
      last = inner.ask();
    } catch (tuning_finished const&) {
      last.why = reason::hold;
    }
  }
}
suggestions held_on(int until) { return holding_on({}, support::lasting(space().center(), until)); }

/// Two tuners that an object holds, of which it hands on what the first suggests.
struct pair_of_tuners {
  suggestions first, second;
  suggestion const& ask() { return first.ask(); }
  void tell(observation const& seen) {
    second.ask();
    first.tell(seen);
    second.tell(seen);
  }
  void fields(archive& a) { a(first)(second); }
};

}  // namespace

TEST_CASE("a save after a stop request to the tuner inside leaves what the stages around it have suggested") {
  for (auto const& [name, stage] : stages()) {
    INFO(name);
    std::stop_source stop;
    suggestions inner = quasi_random(space(), {.seed = 1});
    inner.stop_on(stop.get_token());
    suggestions tuner = stage(std::move(inner));
    suggestion const& pending = tuner.ask();
    configuration const values = pending.values;
    std::vector<std::byte> const before = save(tuner);
    stop.request_stop();
    CHECK(save(tuner) == before);
    CHECK(&tuner.ask() == &pending);
    CHECK(pending.values == values);
    suggestions resumed = stage(quasi_random(space(), {.seed = 1}));
    load(resumed, before);
    resumed.tell(1.0);
    CHECK_FALSE(resumed.finished());
    try {
      tuner.tell(1.0);
    } catch (tuning_finished const&) {  // of a stage that tells at once
    }
    CHECK(tuner.finished());
  }
}

TEST_CASE("a stop request to the whole pipeline ends it at the next save, which resumes as finished") {
  for (auto const& [name, stage] : stages()) {
    INFO(name);
    std::stop_source stop;
    suggestions tuner = stage(quasi_random(space(), {.seed = 1}));
    tuner.stop_on(stop.get_token());
    tuner.ask();
    stop.request_stop();
    std::vector<std::byte> const bytes = save(tuner);
    suggestions resumed = stage(quasi_random(space(), {.seed = 1}));
    resumed.ask();
    load(resumed, bytes);
    CHECK(resumed.finished());
  }
}

TEST_CASE("that the tuner inside has ended is refused where the stage around it goes on") {
  for (auto const& [name, stage] : stages()) {
    if (std::string_view(name) == "watch") continue;  // of which nothing is saved
    INFO(name);
    suggestions tuner = stage(quasi_random(space(), {.seed = 1}));
    suggestion const& pending = tuner.ask();
    std::vector<std::byte> const before = save(tuner), hostile = ended_inside(tuner, "quasi_random");
    CHECK_THROWS_MATCHES(load(tuner, hostile), checkpoint_error,
                         MessageMatches(ContainsSubstring("a stage that goes on after the tuner inside it has ended")));
    CHECK(&tuner.ask() == &pending);
    CHECK(save(tuner) == before);
    tuner.tell(1.0);
    CHECK_FALSE(tuner.finished());
  }
}

TEST_CASE("a stage that goes on after the tuner inside it has ended resumes where that has ended too") {
  suggestions ended = held_on(2);
  for (int i = 0; i < 3; ++i) {
    ended.ask();
    ended.tell(1.0);
  }
  CHECK(ended.ask().why == reason::hold);
  std::vector<std::byte> const bytes = save(ended);
  load(ended, bytes);
  CHECK(save(ended) == bytes);
  suggestions fresh = held_on(2);
  std::vector<std::byte> const going = save(fresh);
  CHECK_THROWS_AS(load(fresh, bytes), checkpoint_error);
  CHECK(save(fresh) == going);
  CHECK_THROWS_MATCHES(load(ended, going), checkpoint_error, MessageMatches(ContainsSubstring("has finished")));
  CHECK(save(ended) == bytes);
}

TEST_CASE("tuners that an object holds go on while it does, whatever is saved or loaded") {
  std::stop_source stop;
  auto const made = [&] {
    pair_of_tuners both{quasi_random(space(), {.seed = 1}), quasi_random(space(), {.seed = 2})};
    both.second.stop_on(stop.get_token());
    return drive(std::move(both));
  };
  suggestions tuner = made();
  tuner.ask();
  std::vector<std::byte> const before = save(tuner);
  stop.request_stop();
  CHECK(save(tuner) == before);
  suggestions other = made();
  load(other, before);
  CHECK(save(other) == before);
}
