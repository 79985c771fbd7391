#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <new>
#include <vector>

#include "support/failing_memory.hpp"

import autotunenet;

using namespace autotunenet;
using support::failing_memory;

namespace {

/// Runs a job with memory that ends at its first allocation, its second, and so on, until it gets through. `after` is
/// called each time that memory ended. Returns in how many places it did.
std::size_t at_every_allocation(std::function<void()> const& job, std::function<void()> const& after = [] {}) {
  job();  // what is set up once for the whole program
  for (std::size_t nth = 0;; ++nth) {
    std::ptrdiff_t const before = failing_memory::blocks();
    bool thrown = false;
    failing_memory::fail_from(nth);
    try {
      job();
    } catch (std::bad_alloc const&) {
      thrown = true;
    }
    bool const failed = failing_memory::end();
    if (thrown) after();
    if (failed != thrown || failing_memory::blocks() != before) {
      CAPTURE(nth, failed, thrown, failing_memory::blocks() - before);
      CHECK(thrown == failed);
      CHECK(failing_memory::blocks() == before);
    }
    if (!failed) return nth;
  }
}

settings every_part() {
  return {.parameters = search_space{real{"lr", 1e-6, 1.0, scale::log}, integer{"batch", 8, 256},
                                     categorical{"schedule", {"a", "b"}}},
          .tuning = {.objective = hook::step, .seed = 5, .horizon = 3000}};
}

void steps(suggestions& tuner, int count, double& loss) {
  for (int i = 0; i < count && tuner.poll(); ++i) tuner.tell({.metric = loss *= 0.999, .restorable = true});
}

}  // namespace

TEST_CASE("a pipeline whose memory ends while it is made or run says so and leaks nothing") {
  for (tuner_kind const kind : {tuner_kind::bayesian, tuner_kind::tpe, tuner_kind::random}) {
    settings chosen = every_part();
    chosen.tuning.tuner = kind;
    CHECK(at_every_allocation([&] {
            suggestions tuner = make_pipeline(chosen);
            double loss = 3.0;
            steps(tuner, 200, loss);
          }) > 20);
  }
}

TEST_CASE("a tuner whose memory ended has finished, or goes on as if nothing had happened") {
  settings const chosen = every_part();
  for (std::size_t nth = 0; nth < 40; ++nth) {
    suggestions tuner = make_pipeline(chosen);
    double loss = 3.0;
    failing_memory::fail_from(nth);
    bool thrown = false;
    try {
      steps(tuner, 200, loss);
    } catch (std::bad_alloc const&) {
      thrown = true;
    }
    failing_memory::end();
    INFO("allocation " << nth);
    if (thrown) CHECK(tuner.finished());
    if (!thrown) CHECK_FALSE(tuner.finished());
  }
}

TEST_CASE("a pipeline whose memory ends while it is saved or loaded is as it was") {
  settings const chosen = every_part();
  suggestions tuner = make_pipeline(chosen);
  double loss = 3.0;
  steps(tuner, 300, loss);
  std::vector<std::byte> const now = save(tuner);
  CHECK(at_every_allocation([&] { (void)save(tuner); }, [&] { CHECK(save(tuner) == now); }) > 5);

  suggestions other = make_pipeline(chosen);
  steps(other, 100, loss);
  std::vector<std::byte> const before = save(other);
  CHECK(at_every_allocation(
            [&] {
              load(other, now);
              load(other, before);
            },
            [&] {
              std::vector<std::byte> const after = save(other);
              CHECK((after == before || after == now));
              load(other, before);
            }) > 10);
}

TEST_CASE("a checkpoint whose memory ends while it is encoded or decoded leaves nothing behind") {
  std::vector<checkpoint_part> const parts{{"pipeline", std::vector<std::byte>(100)}, {"model", {}}};
  CHECK(at_every_allocation([&] { (void)decode("run", encode(parts)); }) > 5);
}
