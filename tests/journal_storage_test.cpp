#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <cerrno>
#include <exception>
#include <filesystem>
#include <string>

#include "support/folder.hpp"
#include "support/storage_faults.hpp"

import autotunenet.journal;

using namespace autotunenet;
using Catch::Matchers::Message;
using support::storage_faults;

TEST_CASE("a journal that cannot be locked is refused with the system's reason, and leaves no file behind") {
  test::folder const place;
  storage_faults::fail(storage_faults::call::flock, 0, ENOLCK);
  CHECK_THROWS_MATCHES(journal(place / "j", search_space{real{"lr", 0.1, 0.5}}), error,
                       Message("journal " + (place / "j").string() + ": cannot be locked: No locks available"));
  storage_faults::end();
  CHECK(std::filesystem::is_empty(place.path()));
}

TEST_CASE("a journal's line that is interrupted or taken a part at a time is completed") {
  test::folder const place;
  search_space const space{real{"lr", 0.1, 0.5}};
  journal written(place / "j", space);
  storage_faults::dribble(true);
  written.observed({.number = 1, .values = space.center()}, {.metric = 0.5});
  storage_faults::dribble(false);
  CHECK_FALSE(written.error());
  CHECK(read_journal(place / "j").entries.size() == 1);
}
