#include <catch2/catch_test_macros.hpp>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <thread>
#include <vector>

#include "support/noisy_quadratic.hpp"

import autotunenet;

using namespace autotunenet;

// What the thread sanitizer watches: nothing is shared between pipelines, and a stop may come from anywhere.

namespace {

constexpr std::size_t steps = 300;

suggestions pipeline(std::uint64_t seed) {
  settings chosen;
  chosen.parameters = search_space{real{"lr", 1e-4, 1.0, scale::log}, real{"momentum", 0.0, 0.95}};
  chosen.tuning.seed = seed;
  return make_pipeline(chosen);
}

void train(suggestions& tuning, support::noisy_quadratic& network, std::size_t how_long, std::vector<double>& rates) {
  for (std::size_t i = 0; i < how_long; ++i) {
    rates.push_back(tuning.ask().values[0]);
    tuning.tell(network.step(rates.back()));
  }
}

std::vector<double> rates_of(std::uint64_t seed) {
  std::vector<double> rates;
  suggestions tuning = pipeline(seed);
  support::noisy_quadratic network(seed);
  train(tuning, network, steps, rates);
  return rates;
}

}  // namespace

TEST_CASE("pipelines in threads of their own suggest what each suggests alone") {
  constexpr std::size_t count = 4;
  std::vector<std::vector<double>> together(count);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&, i] { together[i] = rates_of(i); });
  }
  for (std::size_t i = 0; i < count; ++i) CHECK(together[i] == rates_of(i));
}

TEST_CASE("a pipeline handed from thread to thread goes on as in one") {
  suggestions tuning = pipeline(7);
  support::noisy_quadratic network(7);
  std::vector<double> rates;
  for (std::size_t done = 0; done < steps; done += steps / 4)
    std::jthread([&] { train(tuning, network, steps / 4, rates); }).join();
  CHECK(rates == rates_of(7));
}

TEST_CASE("a stop requested by another thread ends a run between two steps") {
  std::stop_source source;
  suggestions tuning = pipeline(8);
  tuning.stop_on(source.get_token());
  support::noisy_quadratic network(8);
  std::jthread const stopper([&] { source.request_stop(); });
  auto const forever = [&] {
    for (;;) tuning.tell(network.step(tuning.ask().values[0]));
  };
  CHECK_THROWS_AS(forever(), tuning_finished);
  CHECK(tuning.finished());
  CHECK_THROWS_AS(tuning.ask(), tuning_finished);
}
