#pragma once
#include <coroutine>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

import autotunenet.journal;

using namespace autotunenet;

namespace test {

/// A parameter of every kind.
inline search_space mixed() {
  return {real{"lr", 1e-5, 1e-1, scale::log}, real{"shift", -1.0, 1.0}, integer{"batch", 16, 512},
          categorical{"activation", {"relu", "ta\"nh\n", "nan", 0.5, 3.0}}};
}

inline std::string text_of(std::filesystem::path const& file) {
  std::ifstream from(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(from), {}};
}

inline void write(std::filesystem::path const& file, std::string const& text) {
  std::ofstream(file, std::ios::binary) << text;
}

/// Suggests the middle for ever.
inline suggestions steady(search_space space) {
  suggestion next{.number = 0, .values = space.center()};
  for (;;) {
    ++next.number;
    co_yield next;
  }
}

/// A whole journal of one step.
inline std::string const header = R"({"format":"autotunenet journal","version":1,"space":[{"name":"lr","kind":"real",)"
                                  R"("min":0.1,"max":0.5,"scale":"linear"}],"seed":7,"metadata":{}})"
                                  "\n";
inline std::string const step = R"({"number":1,"why":"start","events":[],"suggested":{"lr":0.2},"metric":0.5,)"
                                R"("result":"measured","noise":0.0,"steps":1,"elapsed":0.25})"
                                "\n";

}  // namespace test
