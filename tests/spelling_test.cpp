#include <array>
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

import autotunenet;

using namespace autotunenet;

TEST_CASE("a typo is answered with the nearest known name") {
  constexpr std::array<std::string_view, 4> known{"seed", "patience", "cooldown", "lr"};
  CHECK(did_you_mean("patiense", known) == "; did you mean \"patience\"?");   // a wrong letter
  CHECK(did_you_mean("patence", known) == "; did you mean \"patience\"?");    // one too few
  CHECK(did_you_mean("coooldown", known) == "; did you mean \"cooldown\"?");  // one too many
  CHECK(did_you_mean("sede", known) == "; did you mean \"seed\"?");           // two swapped
  CHECK(did_you_mean("rl", known) == "; did you mean \"lr\"?");
}

TEST_CASE("a name like no other is answered with all that is known") {
  constexpr std::array<std::string_view, 2> known{"seed", "patience"};
  CHECK(did_you_mean("momentum", known) == "; known: \"seed\", \"patience\"");
  CHECK(did_you_mean(std::string(100000, 's'), known) == "; known: \"seed\", \"patience\"");
  CHECK(did_you_mean("", known) == "; known: \"seed\", \"patience\"");
}
