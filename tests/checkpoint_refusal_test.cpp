#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "support/mixed_space.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
using support::mixed_space;

namespace {

/// Where the bytes of a section begin, behind its name.
std::size_t behind(std::vector<std::byte> const& bytes, std::string_view name) {
  std::string_view const text(reinterpret_cast<char const*>(bytes.data()), bytes.size());
  std::size_t const at = text.find(name);
  REQUIRE(at != std::string_view::npos);
  return at + name.size();
}
/// Where those of the coroutine begin whose section this is: whether it is over, and the length of the name.
std::size_t before(std::vector<std::byte> const& bytes, std::string_view name) {
  return behind(bytes, name) - name.size() - sizeof(std::uint64_t) - 1;
}
template <class Value>
void put(std::vector<std::byte>& bytes, std::size_t at, Value value) {
  REQUIRE(at + sizeof value <= bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

suggestions told(suggestions tuner, std::vector<double> const& metrics) {
  tuner.ask();
  for (double const metric : metrics) {
    tuner.tell({.metric = metric, .restorable = true});
    tuner.ask();
  }
  return tuner;
}
void refused(suggestions& tuner, std::vector<std::byte> const& bytes, std::string const& why) {
  CHECK_THROWS_MATCHES(load(tuner, bytes), checkpoint_error, MessageMatches(ContainsSubstring(why)));
}

}  // namespace

TEST_CASE("a guard that claims to have settled before anything ran is refused") {
  suggestions tuner = told(tpe(mixed_space()) | guard(), {});
  std::vector<std::byte> bytes = save(tuner);
  // Behind the suggestion: its number, the count of its values, the values, and three words.
  std::size_t const settled = behind(bytes, "guard") + 8 + 8 + 8 * mixed_space().size() + 1 + 4 + 2;
  REQUIRE(bytes[settled] == std::byte{0});
  bytes[settled] = std::byte{1};
  refused(tuner, bytes, "values of another search space");
}

TEST_CASE("NaN among values that are put in order is refused") {
  constexpr double marked = 0.123456789, not_a_number = std::numeric_limits<double>::quiet_NaN();
  search_space const space = mixed_space();
  auto const check = [&](suggestions tuner, int places = 1) {
    std::vector<std::byte> const good = save(tuner);
    int found = 0;
    for (std::size_t at = 0; at + sizeof(double) <= good.size(); ++at) {
      double value = 0.0;
      std::memcpy(&value, good.data() + at, sizeof value);
      if (value != marked) continue;
      ++found;
      std::vector<std::byte> bad = good;
      put(bad, at, not_a_number);
      refused(tuner, bad, "bounds");
    }
    CHECK(found == places);
  };
  check(told(bayesian(space), {marked, 0.0}));
  check(told(bayesian(space), {0.0, marked}), 2);  // what it changed by, and what the next one is compared with
  check(told(bayesian(space, {.from = learned::level}), {marked, 1.0}));
  check(told(tpe(space), {marked, 1.0}));
  suggestions points = told(tpe(space), {3.0, 2.0});
  std::vector<std::byte> bytes = save(points);
  std::size_t const metrics = 8 + 8 * tpe_options{}.window;  // behind the points, up to the end
  put(bytes, bytes.size() - metrics - sizeof(double), not_a_number);
  refused(points, bytes, "bounds");
}

TEST_CASE("counts that no run comes to are refused") {
  search_space const space = mixed_space();
  int const largest = std::numeric_limits<int>::max();
  suggestions search = told(tpe(space) | bracket({.horizon = 300, .always = true}), {3.0, 2.0});
  std::vector<std::byte> const searched = save(search);
  for (std::size_t const back : {4U, 8U}) {
    std::vector<std::byte> bytes = searched;
    put(bytes, before(bytes, "tpe") - back, largest);
    refused(search, bytes, "outside its bounds");
  }

  suggestions branches = told(tpe(space) | branch_test({.horizon = 300, .budget = 0.5, .least_steps = 8}), {3.0, 2.0});
  std::vector<std::byte> const branched = save(branches);
  std::size_t const end = before(branched, "tpe") - 1;  // of what stands before whether there are branches
  for (std::size_t const back : {sizeof(double) + 4U, sizeof(double) + 8U}) {
    std::vector<std::byte> bytes = branched;
    put(bytes, end - back, largest);
    refused(branches, bytes, "outside its bounds");
  }
  std::vector<std::byte> bytes = branched;
  put(bytes, end - sizeof(double), 1024.0);  // a multiple that no branch has
  refused(branches, bytes, "outside its bounds");
}

TEST_CASE("a sweep goes on for no longer than its steps, whatever was loaded") {
  search_space const space = mixed_space();
  suggestions sweep = told(tpe(space) | range_test({.horizon = 300}), {3.0, 3.0, 3.0, 3.0});
  std::vector<std::byte> const good = save(sweep);
  int loaded = 0;
  for (std::size_t at = behind(good, "range test"); at + 8 <= before(good, "tpe"); ++at) {
    std::vector<std::byte> bad = good;
    put(bad, at, std::uint64_t{500});
    suggestions other = told(tpe(space) | range_test({.horizon = 300}), {});
    try {
      load(other, bad);
    } catch (checkpoint_error const&) {
      continue;
    }
    ++loaded;
    for (int i = 0; i < 300 && other.ask().why == reason::range_test; ++i)
      other.tell({.metric = 3.0, .restorable = true});
    CHECK(other.ask().why != reason::range_test);
  }
  CHECK(loaded > 0);
}

TEST_CASE("numbers are made room for only where the bytes that are left can hold them") {
  std::vector<double> numbers(3, 1.0);
  archive out;
  out(numbers);
  std::vector<std::byte> bytes = out.release();
  put(bytes, 0, std::uint64_t{bytes.size() - sizeof(std::uint64_t)});  // as many as there are bytes
  archive in(bytes);
  std::vector<double> read;
  CHECK_THROWS_MATCHES(in(read), checkpoint_error, MessageMatches(ContainsSubstring("holds less than it says")));
  CHECK(read.empty());
}

TEST_CASE("a resume without a stage that was there says what chooses the stages") {
  auto const made = [](bool range_test) {
    return make_pipeline({.parameters = mixed_space(), .tuning = {.horizon = 300, .range_test = range_test}});
  };
  suggestions with = made(true), without = made(false);
  refused(without, save(with), "such as [tuning] objective, range_test and anneal, must be as it was");
  refused(with, save(without), "such as [tuning] objective, range_test and anneal, must be as it was");
}

TEST_CASE("what was saved of another pipeline is refused, and says what differs") {
  auto const differs = [](suggestions from, suggestions into, std::string const& why) {
    std::vector<std::byte> const unchanged = save(into);
    refused(into, save(from), why);
    CHECK(save(into) == unchanged);
  };
  search_space const rate{real{"lr", 1e-6, 1.0, scale::log}};
  differs(tpe(rate), bayesian(rate),
          "\"tpe\" where \"bayesian\" belongs: it was made with another tuner or other stages");
  differs(tpe(rate), tpe(rate) | guard(), "where \"guard\" belongs");
  differs(tpe(rate), tpe({real{"lr", 1e-5, 1.0, scale::log}}),
          "\"lr\" as real from 1e-06 to 1, log, here it is real from 1e-05 to 1, log");
  differs(tpe(rate), tpe(mixed_space()), "no parameter \"momentum\"");
  differs(tpe(mixed_space()), tpe(rate), "\"momentum\" that is not here");
  differs(tpe(rate), tpe({real{"rate", 1e-6, 1.0, scale::log}}), "\"lr\" as parameter 1, here it is \"rate\"");
  differs(tpe(rate) | smooth({.window = 5}), tpe(rate) | smooth({.window = 6}),
          "smooth: window ([metrics] smoothing_window) = 5, here it is 6");
  differs(tpe(rate) | guard({.window = 5}), tpe(rate) | guard({.window = 6}), "[stability] window) = 5, here it is 6");
  differs(tpe(rate) | guard({.warm_up = 20}), tpe(rate) | guard({.warm_up = 10}),
          "warm_up ([tuning] warmup_steps, warmup_epochs) = 20 or more, here it is 10");
}
