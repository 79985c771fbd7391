#include <catch2/catch_test_macros.hpp>
#include <coroutine>
#include <vector>

#include "../support/folder.hpp"

import autotunenet;

using namespace autotunenet;

TEST_CASE("a pipeline goes into a store and back as the README says") {
  test::folder const place;
  checkpoint_store kept(place / "run");
  suggestions pipeline = make_pipeline({}, search_space{real{"lr", 1e-5, 0.1, scale::log}}.center());
  pipeline.ask();
  pipeline.tell({.metric = 1.0});
  auto const before = save(pipeline);
#include "store.1.inc"
  CHECK(save(pipeline) == before);
}
