#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <format>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string content(std::string const& name) {
  std::ifstream from(std::string(AUTOTUNENET_SOURCES) + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(from), {}};
}

}  // namespace

TEST_CASE("the README shows the smallest program as it is") {
  std::string const program = content("examples/smallest.cpp");
  REQUIRE(!program.empty());
  CHECK_THAT(content("README.md"), ContainsSubstring("```cpp\n" + program + "```"));
}

TEST_CASE("the README lists every setting with its default") {
  std::string const readme = content("README.md");
  std::vector<setting_row> const rows = settings_reference();
  REQUIRE(rows.size() > 20);
  for (setting_row const& row : rows) {
    CHECK_THAT(readme, ContainsSubstring(std::format("\n### `[{}]`\n", row.section)));
    CHECK_THAT(readme, ContainsSubstring(
                           std::format("\n| `{}` | {} | {} | {} |\n", row.key, row.preset, row.allowed, row.meaning)));
  }
}

TEST_CASE("the commented settings file is accepted") {
  settings const read = parse_settings(content("examples/autotune.toml"), "autotune.toml");
  CHECK(read.parameters->size() == 3);
  CHECK(read.tuning.objective == hook::step);
}
