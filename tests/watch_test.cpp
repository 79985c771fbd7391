#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

import autotunenet;
import autotunenet.testing;

using namespace autotunenet;
using namespace support;

namespace {

search_space space() { return {real{"lr", 1e-4, 1e-1, scale::log}}; }

struct recorder : observer {
  std::string calls;
  std::vector<suggestion const*> suggested_at;
  std::vector<double> metrics;
  void suggested(suggestion const& made) override {
    calls += 's';
    suggested_at.push_back(&made);
  }
  void observed(suggestion const& answered, observation const& seen) override {
    calls += 'o';
    CHECK(&answered == suggested_at.back());
    metrics.push_back(seen.metric);
  }
};

struct indifferent : observer {
  void suggested(suggestion const&) override {}
  void observed(suggestion const&, observation const&) override {}
};

}  // namespace

TEST_CASE("an observer sees every suggestion once, and each observation with the suggestion it answers") {
  recorder seen;
  auto tuner = steady(space().center()) | watch(seen);
  tuner.ask();
  tuner.ask();
  tuner.tell(1.0);
  tuner.ask();
  tuner.tell(2.0);
  CHECK(seen.calls == "sosos");
  CHECK(seen.metrics == std::vector{1.0, 2.0});
}

TEST_CASE("a watched tuner's suggestions are not copied") {
  recorder seen;
  suggestion const* made = nullptr;
  auto tuner = scripted(space().center(), [&](suggestion& next) { made = &next; }) | watch(seen);
  tuner.ask();
  tuner.tell(1.0);
  CHECK(&tuner.ask() == made);
  CHECK(seen.suggested_at.back() == made);
}

TEST_CASE("what was saved of a watched run goes on unwatched, and the other way round") {
  indifferent seen, inside;
  auto const watched = [&] {
    return tpe(space(), {.seed = 1}) | watch(inside) | every(2) | smooth({.window = 3}) | watch(seen);
  };
  auto const unwatched = [] { return tpe(space(), {.seed = 1}) | every(2) | smooth({.window = 3}); };
  auto const resumes = [](suggestions from, suggestions into) {
    run(from, {3.0, 2.0, 1.0, 0.5, 4.0});
    std::vector<std::byte> const bytes = save(from);
    load(into, bytes);
    CHECK(save(into) == bytes);
    for (int i = 0; i < 20; ++i) {
      CHECK(into.ask().values == from.ask().values);
      from.tell(1.0 / (1.0 + i));
      into.tell(1.0 / (1.0 + i));
    }
  };
  resumes(watched(), unwatched());
  resumes(unwatched(), watched());
  resumes(watched() | watch(seen), watched());
}

TEST_CASE("a watched run that has finished resumes as finished unwatched, and the other way round") {
  indifferent seen;
  auto const resumes = [](suggestions from, suggestions into) {
    std::stop_source stop;
    from.stop_on(stop.get_token());
    run(from, {1.0});
    stop.request_stop();
    into.ask();
    load(into, save(from));
    CHECK(into.finished());
  };
  resumes(tpe(space()) | watch(seen), tpe(space()));
  resumes(tpe(space()), tpe(space()) | watch(seen));
}

TEST_CASE("an observer's exception passes out and ends the tuner") {
  struct : observer {
    void suggested(suggestion const&) override {}
    void observed(suggestion const&, observation const&) override { throw std::runtime_error("disk full"); }
  } failing;
  auto tuner = steady(space().center()) | watch(failing);
  tuner.ask();
  CHECK_THROWS_WITH(tuner.tell(1.0), "disk full");
  CHECK(tuner.finished());
}
