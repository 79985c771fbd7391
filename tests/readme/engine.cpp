#include <catch2/catch_test_macros.hpp>

#include "engine.1.inc"

TEST_CASE("the README's loop around an engine of one's own trains it") {
  network net(1);
  double const untrained = net.loss();
  train(net, 1000);
  CHECK(net.loss() < 0.1 * untrained);
}
