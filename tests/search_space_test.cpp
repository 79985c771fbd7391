#include <array>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <coroutine>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
using Catch::Matchers::WithinRel;

namespace {

search_space mixed() {
  return {real{"lr", 1e-5, 1e-1, scale::log},
          real{"momentum", 0.0, 0.99},
          integer{"batch", 16, 512, scale::log},
          integer{"layers", -2, 3},
          categorical{"activation", {"relu", "tanh", "gelu"}},
          categorical{"width", {64.0, 128.0}}};
}

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("a parameter is found by its name, in declared order") {
  search_space const space = mixed();
  CHECK(space.size() == 6);
  CHECK(space.index("lr") == 0);
  CHECK(space.find("batch") == std::optional<std::size_t>{2});
  CHECK_FALSE(space.find("epochs"));
  CHECK(name_of(space[4]) == "activation");
  CHECK_THROWS_MATCHES(
      space.index("momentun"), invalid_option,
      Catch::Matchers::Message("the search space has no parameter \"momentun\"; did you mean \"momentum\"?"));
}

TEST_CASE("a search space that cannot be is refused with the reason") {
  auto refused = [](parameter p, std::string const& why) {
    CHECK_THROWS_MATCHES((search_space{std::vector<parameter>{p}}), invalid_option,
                         MessageMatches(ContainsSubstring(why)));
  };
  CHECK_THROWS_MATCHES(search_space{std::vector<parameter>{}}, invalid_option,
                       MessageMatches(ContainsSubstring("at least one parameter")));
  refused(real{"lr", 0.1, 0.1}, "\"lr\": min = 0.1 must be below max = 0.1");
  refused(real{"lr", 0.2, 0.1}, "must be below");
  refused(real{"lr", 0.0, 0.1, scale::log}, "\"lr\": min = 0 must be above 0 on a log scale");
  refused(real{"lr", -1.0, 0.1, scale::log}, "must be above 0");
  refused(real{"lr", not_a_number, 0.1}, "must be finite");
  refused(real{"lr", 0.0, infinity}, "must be finite");
  refused(real{"lr", -1.7e308, 1.7e308}, "must be finite");
  refused(real{"", 0.0, 1.0}, "name that is not empty");
  refused(integer{"batch", 8, 8}, "must be below");
  refused(integer{"batch", 0, 8, scale::log}, "must be above 0");
  refused(integer{"batch", 0, std::int64_t{1} << 60}, "2^53");
  refused(integer{"batch", 0, (std::int64_t{1} << 53) + 1}, "2^53");
  refused(integer{"batch", -(std::int64_t{1} << 53) - 1, 0}, "2^53");
  refused(integer{"batch", std::numeric_limits<std::int64_t>::min(), 0}, "2^53");
  CHECK_NOTHROW(search_space{integer{"batch", -(std::int64_t{1} << 53), std::int64_t{1} << 53}});
  refused(categorical{"activation", {}}, "at least one choice");
  refused(categorical{"activation", {"relu", "relu"}}, "\"relu\" appears twice");
  refused(categorical{"width", {64.0, not_a_number}}, "not finite");
  CHECK_THROWS_MATCHES((search_space{real{"lr", 0.0, 1.0}, integer{"lr", 0, 1}}), invalid_option,
                       MessageMatches(ContainsSubstring("\"lr\" is declared twice")));
}

TEST_CASE("unit 0 and 1 are exactly the bounds, and anything outside lands on them") {
  search_space const space = mixed();
  CHECK(space.from_unit(0, 0.0) == 1e-5);
  CHECK(space.from_unit(0, 1.0) == 1e-1);
  CHECK(space.from_unit(0, -3.0) == 1e-5);
  CHECK(space.from_unit(0, 7.0) == 1e-1);
  CHECK(space.from_unit(0, not_a_number) == 1e-5);
  CHECK(space.from_unit(2, 1.0) == 512.0);
  CHECK(space.from_unit(4, 1.0) == 2.0);
  CHECK(space.to_unit(0, 5.0) == 1.0);
  CHECK(space.to_unit(0, 0.0) == 0.0);
  CHECK(space.clamp(0, infinity) == 1e-1);
  CHECK(space.clamp(0, not_a_number) == 1e-5);
}

TEST_CASE("values survive the way to the unit cube and back") {
  search_space const space = mixed();
  std::mt19937_64 engine(1);
  std::array<double, 6> unit{};
  std::array<double, 6> native{};
  for (int n = 0; n < 10000; ++n) {
    for (double& u : unit) u = static_cast<double>(engine() >> 11) * 0x1p-53;
    space.from_unit(unit, native);
    for (std::size_t i = 0; i < 6; ++i) {
      REQUIRE(space.contains(i, native[i]));
      double const there = space.to_unit(i, native[i]);
      REQUIRE(there >= 0.0);
      REQUIRE(there <= 1.0);
      if (space.count(i) > 0.0) {
        REQUIRE(space.from_unit(i, there) == native[i]);
      } else {
        REQUIRE_THAT(space.from_unit(i, there), WithinRel(native[i], 1e-12));
      }
    }
  }
}

TEST_CASE("a log parameter is spaced by ratio") {
  search_space const space{real{"lr", 1e-4, 1e-1, scale::log}};
  CHECK_THAT(space.from_unit(0, 0.5), WithinRel(std::sqrt(1e-4 * 1e-1), 1e-12));
  CHECK_THAT(space.from_unit(0, 1.0 / 3.0), WithinRel(1e-3, 1e-12));
}

TEST_CASE("whole numbers and categories own equal shares of the unit interval") {
  search_space const space{integer{"layers", 1, 4}, categorical{"act", {"a", "b", "c", "d"}}};
  for (std::size_t i = 0; i < 2; ++i) {
    std::array<int, 4> share{};
    for (int k = 0; k < 4000; ++k) {
      double const value = space.from_unit(i, (k + 0.5) / 4000.0);
      ++share[static_cast<std::size_t>(value - space.from_unit(i, 0.0))];
    }
    CHECK(share == std::array<int, 4>{1000, 1000, 1000, 1000});
  }
}

TEST_CASE("a configuration is read and set by name") {
  search_space const space = mixed();
  configuration c = space.at({{"lr", 1e-3}, {"batch", 32}, {"activation", 1}, {"width", 128}});
  CHECK(c["lr"] == 1e-3);
  CHECK(c["batch"] == 32.0);
  CHECK(std::get<std::string>(c.chosen("activation")) == "tanh");
  CHECK(c["width"] == 128.0);
  CHECK(c.text(4) == "tanh");
  CHECK_THROWS_MATCHES(c["activation"], invalid_option, MessageMatches(ContainsSubstring("a word")));
  CHECK_THROWS_MATCHES(c.set("lr", 1.0), invalid_option, MessageMatches(ContainsSubstring("between 1e-05 and 0.1")));
  CHECK_THROWS_AS(c.set("lr", not_a_number), invalid_option);
  CHECK_THROWS_AS(c.set("batch", 32.5), invalid_option);
  CHECK_THROWS_AS(c.set("width", 96.0), invalid_option);
  CHECK_THROWS_AS(c.set("activation", 3.0), invalid_option);
  CHECK_THROWS_AS(configuration{}["lr"], invalid_option);
  CHECK(c["lr"] == 1e-3);
}

TEST_CASE("bounds whose logarithms are equal are spaced by difference") {
  double const low = 1e-3;
  double high = low;
  for (int ulps = 1; ulps <= 3; ++ulps) {
    high = std::nextafter(high, 1.0);
    search_space const space{real{"lr", low, high, scale::log}};
    double before = -1.0;
    for (double native = low; native <= high; native = std::nextafter(native, 1.0)) {
      double const unit = space.to_unit(0, native);
      CHECK((unit >= before && unit <= 1.0));
      CHECK(space.contains(0, space.from_unit(0, unit)));
      before = unit;
    }
    CHECK(space.to_unit(0, low) == 0.0);
    CHECK(space.to_unit(0, high) == 1.0);
    CHECK(space.contains(0, space.center()[0]));
  }
  constexpr std::int64_t largest = std::int64_t{1} << 53;
  search_space const whole{integer{"count", largest - 2, largest, scale::log}};
  CHECK(std::isfinite(whole.to_unit(0, static_cast<double>(largest - 1))));
}

TEST_CASE("every tuner takes bounds that are hardly apart") {
  double const low = 1e-3;
  double high = low;
  for (int ulps = 1; ulps <= 3; ++ulps) {
    high = std::nextafter(high, 1.0);
    INFO(ulps << " ulps apart");
    search_space const space{real{"lr", low, high, scale::log}, real{"momentum", 0.0, 0.9}};
    settings const chosen{.parameters = space, .tuning = {.seed = 1, .horizon = 300}};
    std::vector<suggestions> tuners;
    tuners.push_back(bayesian(space, {.seed = 1}));
    tuners.push_back(bayesian(space, {.seed = 1, .from = learned::level}));
    tuners.push_back(tpe(space, {.seed = 1}));
    tuners.push_back(quasi_random(space, {.seed = 1}));
    tuners.push_back(make_pipeline(chosen));
    for (suggestions& tuner : tuners) {
      for (int i = 0; i < 60; ++i) {
        suggestion const& next = tuner.ask();
        REQUIRE((space.contains(0, next.values[0]) && space.contains(1, next.values[1])));
        tuner.tell({.metric = 1.0 + std::cos(i), .restorable = true});
      }
    }
  }
}

TEST_CASE("a configuration that was moved from is empty, and belongs to no space") {
  configuration from = mixed().center();
  configuration const to = std::move(from);
  CHECK(from.empty());
  CHECK_THROWS_MATCHES(from.space().size(), invalid_option, MessageMatches(ContainsSubstring("no search space")));
  CHECK(to.space() == mixed());
  from = to;
  CHECK(from.space() == mixed());
}

TEST_CASE("assigning clamps, and never leaves the space") {
  configuration c = mixed().center();
  c.assign(0, 1e9);
  c.assign(2, 33.4);
  c.assign(4, 2.6);
  CHECK(c["lr"] == 1e-1);
  CHECK(c["batch"] == 33.0);
  CHECK(c.text(4) == "gelu");
}

TEST_CASE("choices are written as one would: whole numbers, numbers and words, also beside each other") {
  constexpr std::string_view word = "auto";
  search_space const space{categorical{"batch", {32, 64U, std::int64_t{128}}},
                           categorical{"clip", {0, 0.5F, word, std::string("off"), "on"}}, categorical{"one", {7}}};
  configuration c = space.at({{"batch", 64}, {"clip", 0.5}});
  CHECK(c["batch"] == 64.0);
  CHECK(c["clip"] == 0.5);
  CHECK(c["one"] == 7.0);
  c.set("clip", "auto");
  CHECK(c.chosen("clip") == category{word});
  CHECK(space == search_space{categorical{"batch", {32.0, 64.0, 128.0}},
                              categorical{"clip", {0.0, 0.5, "auto", "off", "on"}}, categorical{"one", {7.0}}});
  CHECK(category(std::variant<double, std::string>("tanh")) == category{"tanh"});
  STATIC_CHECK_FALSE(std::is_constructible_v<category, bool>);
  STATIC_CHECK_FALSE(std::is_constructible_v<category, char>);
}

TEST_CASE("spaces compare by what they describe") {
  CHECK(mixed() == mixed());
  CHECK_FALSE(mixed() == search_space{real{"lr", 1e-5, 1e-1, scale::log}});
  CHECK_FALSE(search_space{real{"lr", 0.1, 0.2}} == search_space{real{"lr", 0.1, 0.2, scale::log}});
}

TEST_CASE("configurations are equal where values and spaces are") {
  search_space const rate{real{"lr", 0.0, 1.0}};
  CHECK(rate.at({{"lr", 0.5}}) == search_space{real{"lr", 0.0, 1.0}}.at({{"lr", 0.5}}));
  CHECK_FALSE(rate.at({{"lr", 0.5}}) == rate.at({{"lr", 0.25}}));
  CHECK_FALSE(rate.at({{"lr", 0.5}}) == search_space{real{"dropout", 0.0, 1.0}}.at({{"dropout", 0.5}}));
  CHECK_FALSE(rate.center() == configuration{});
  CHECK(configuration{} == configuration{});
}

TEST_CASE("a whole number reads whole") {
  search_space const space{integer{"batch", 1, 10'000'000}, real{"lr", 0.0, 1e6}, integer{"shift", -1, 1}};
  configuration const c = space.at({{"batch", 123457}, {"lr", 123457}, {"shift", -0.0}});
  CHECK(c.text(0) == "123457");
  CHECK(c.text(2) == "0");
  CHECK(c.text(1) == "1.235e+05");
}

TEST_CASE("words are set as words, also beside numbers that an index could be") {
  search_space const space{categorical{"clip", {"off", 0.0, 2.0, "auto"}}, categorical{"kind", {"a", "b"}},
                           categorical{"width", {64.0, 128.0}}, real{"lr", 0.0, 1.0}};
  configuration c = space.center();
  c.set("clip", "auto");
  CHECK(c.chosen("clip") == category{"auto"});
  c.set("clip", "off");
  CHECK(c.chosen("clip") == category{"off"});
  c.set("clip", 0.0);
  CHECK(c.chosen("clip") == category{0.0});
  CHECK_THROWS_MATCHES(c.set("clip", 3), invalid_option,
                       MessageMatches(ContainsSubstring("words among numbers are set as words")));
  CHECK_THROWS_MATCHES(c.set("clip", "aut"), invalid_option,
                       MessageMatches(ContainsSubstring("\"aut\" is not among its choices; did you mean \"auto\"?")));
  c.set("kind", "b");
  CHECK(c.chosen("kind") == category{"b"});
  c.set("kind", 0);
  CHECK(c.chosen("kind") == category{"a"});
  CHECK_THROWS_MATCHES(c.set("width", "wide"), invalid_option, MessageMatches(ContainsSubstring("which are numbers")));
  CHECK_THROWS_MATCHES(c.set("lr", "high"), invalid_option, MessageMatches(ContainsSubstring("not categorical")));
  CHECK_THROWS_AS(c.set("none", "high"), invalid_option);
  CHECK_THROWS_AS(configuration{}.set("kind", "a"), invalid_option);
}
