#include <catch2/catch_test_macros.hpp>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../support/folder.hpp"

import autotunenet;

using namespace autotunenet;

namespace {

using network = int;

std::vector<std::byte> bytes_of(network net) { return {static_cast<std::byte>(net)}; }
network network_of(std::span<std::byte const> bytes) { return std::to_integer<int>(bytes[0]); }

struct run {
  suggestions tuning = make_pipeline({}, search_space{real{"lr", 1e-5, 0.1, scale::log}}.center());
  network net = 0;
  state_copies<network> kept;

  void save_to(checkpoint_store& store) {
#include "copies.1.inc"
  }
  void resume_from(checkpoint_store& store) {
#include "copies.2.inc"
  }
};

}  // namespace

TEST_CASE("an engine's state and its copies go into a checkpoint and back as the README says") {
  test::folder const place;
  checkpoint_store store(place / "run");
  run original;
  original.net = 7;
  original.kept.carry_out(training_state::mark_candidate, original.net);
  original.net = 9;
  original.tuning.ask();
  original.tuning.tell({.metric = 1.0});
  original.save_to(store);

  run resumed;
  resumed.resume_from(store);
  CHECK(resumed.net == 9);
  CHECK(save(resumed.tuning) == save(original.tuning));
  CHECK(resumed.kept.carry_out(training_state::return_to_good, resumed.net) == training_state::return_to_good);
  CHECK(resumed.net == 7);
}
