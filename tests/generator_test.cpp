#include <catch2/catch_test_macros.hpp>
#include <coroutine>
#include <cstddef>
#include <memory_resource>
#include <stdexcept>
#include <stop_token>
#include <utility>
#include <vector>

import autotunenet;

using namespace autotunenet;

namespace {

suggestions counting(int until) {
  suggestion next;
  for (int i = 0; i < until; ++i) {
    ++next.number;
    observation const& seen = co_yield next;
    if (seen.metric == 13.0) throw std::runtime_error("unlucky");
  }
}

}  // namespace

TEST_CASE("asking twice gives the same suggestion") {
  suggestions tuner = counting(3);
  suggestion const& first = tuner.ask();
  CHECK(&tuner.ask() == &first);
  CHECK(first.number == 1);
  tuner.tell(0.5);
  CHECK(tuner.ask().number == 2);
}
