#include <catch2/catch_test_macros.hpp>

#include "support/folder.hpp"
#include "support/journal_text.hpp"

import autotunenet.journal;

using namespace autotunenet;
using test::mixed;
using test::steady;

TEST_CASE("observers see the same in the given order") {
  test::folder const place;
  search_space const space = mixed();
  journal first(place / "first", space), second(place / "second", space);
  observers both(first, second);
  suggestions tuning = steady(space) | watch(both);
  for (int i = 0; i < 3; ++i) {
    tuning.ask();
    tuning.tell(0.5);
  }
  CHECK(first.lines() == 3);
  CHECK(second.lines() == 3);
}
