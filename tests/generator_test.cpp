#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory_resource>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/allocations.hpp"

import autotunenet;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;

namespace {

/// Counts its own copies, moves and lives.
struct counted {
  static inline int copies = 0;
  static inline int alive = 0;
  int value = 0;

  explicit counted(int v) : value(v) { ++alive; }
  counted(counted const& other) : value(other.value) { ++copies, ++alive; }
  counted& operator=(counted const& other) {
    value = other.value;
    ++copies;
    return *this;
  }
  ~counted() { --alive; }
};

struct unlucky : std::runtime_error {
  using std::runtime_error::runtime_error;
};

suggestions counting(int until) {
  suggestion next;
  for (int i = 0; i < until; ++i) {
    ++next.number;
    observation const& seen = co_yield next;
    if (seen.metric == 13.0) throw unlucky("thirteen");
  }
}

generator<counted, int> doubling() {
  counted now{1};
  for (;;) now.value *= co_yield now;
}

/// The least that a training loop needs in order to be a coroutine.
struct task {
  struct promise_type {
    task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { throw; }
  };
};

class counting_memory : public std::pmr::memory_resource {
 public:
  int allocations = 0;
  int frees = 0;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    ++allocations;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
    ++frees;
    std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
  }
  bool do_is_equal(memory_resource const& other) const noexcept override { return this == &other; }
};

suggestions endless(std::pmr::memory_resource*) {
  suggestion next;
  for (;;) {
    ++next.number;
    co_yield next;
  }
}

}  // namespace

static_assert(!std::copyable<suggestions> && std::movable<suggestions>);

TEST_CASE("asking again gives the same suggestion, until it is answered") {
  suggestions tuner = counting(3);
  suggestion const& first = tuner.ask();
  CHECK(&tuner.ask() == &first);
  CHECK(first.number == 1);
  tuner.tell(0.5);
  CHECK(tuner.ask().number == 2);
}

TEST_CASE("nothing that is yielded is copied") {
  counted::copies = 0;
  {
    auto tuner = doubling();
    for (int i = 0; i < 5; ++i) {
      CHECK(tuner.ask().value == 1 << i);
      tuner.tell(2);
    }
    CHECK(counted::alive == 1);
  }
  CHECK(counted::copies == 0);
  CHECK(counted::alive == 0);
}

TEST_CASE("a tell without an ask is an error that changes nothing") {
  suggestions tuner = counting(3);
  CHECK_THROWS_AS(tuner.tell(1.0), protocol_error);
  CHECK(tuner.ask().number == 1);
}

TEST_CASE("a second tell is an error that changes nothing") {
  suggestions tuner = counting(3);
  tuner.ask();
  tuner.tell(1.0);
  CHECK_THROWS_AS(tuner.tell(1.0), protocol_error);
  CHECK(tuner.ask().number == 2);
}

TEST_CASE("an observation of another suggestion is an error, and the pending one can still be answered") {
  suggestions tuner = counting(3);
  tuner.ask();
  CHECK_THROWS_MATCHES(tuner.tell(observation{.metric = 1.0, .number = 7}), protocol_error,
                       Catch::Matchers::Message("told an observation of suggestion 7, but suggestion 1 is pending"));
  tuner.tell(observation{.metric = 1.0, .number = 1});
  CHECK(tuner.ask().number == 2);
}

TEST_CASE("a tuner that returned has finished, and says so") {
  suggestions tuner = counting(1);
  tuner.ask();
  tuner.tell(1.0);
  CHECK(tuner.finished());
  CHECK(tuner.poll() == nullptr);
  CHECK_THROWS_AS(tuner.ask(), tuning_finished);
  CHECK_THROWS_AS(tuner.tell(1.0), tuning_finished);
}

TEST_CASE("an exception inside a tuner passes out of tell, and the tuner has finished") {
  suggestions tuner = counting(3);
  tuner.ask();
  CHECK_THROWS_AS(tuner.tell(13.0), unlucky);
  CHECK(tuner.finished());
  CHECK_THROWS_AS(tuner.ask(), tuning_finished);
}

TEST_CASE("an exception passes through every stage of a pipeline") {
  suggestions tuner = counting(3) | maximize();
  tuner.ask();
  CHECK_THROWS_AS(tuner.tell(-13.0), unlucky);
  CHECK(tuner.finished());
}

TEST_CASE("a stop request ends the conversation and frees the frame") {
  counting_memory memory;
  std::stop_source source;
  suggestions tuner = endless(&memory);
  tuner.stop_on(source.get_token());
  tuner.ask();
  source.request_stop();
  CHECK_THROWS_AS(tuner.tell(1.0), tuning_finished);
  CHECK(tuner.finished());
  CHECK_THROWS_AS(tuner.ask(), tuning_finished);
  CHECK(memory.frees == 1);
}

TEST_CASE("the frame comes from the memory resource that was given, and goes back to it") {
  counting_memory memory;
  {
    suggestions tuner = endless(&memory);
    tuner.ask();
    CHECK(memory.allocations == 1);
  }
  CHECK(memory.frees == 1);
}

TEST_CASE("a step allocates nothing") {
  suggestions tuner = endless(nullptr);
  tuner.ask();
  support::allocation_count count;
  for (int i = 0; i < 1000; ++i) {
    tuner.ask();
    tuner.tell(1.0);
  }
  CHECK(count.since() == 0);
}

TEST_CASE("a moved tuner goes on where it was") {
  suggestions first = counting(3);
  first.ask();
  suggestions second = std::move(first);
  CHECK(first.finished());
  second.tell(1.0);
  CHECK(second.ask().number == 2);
  first = std::move(second);
  CHECK(first.ask().number == 2);
}

TEST_CASE("a tuner that was moved from says so, until another is moved there") {
  auto const says = [](char const* why) { return MessageMatches(ContainsSubstring(why)); };
  suggestions first = counting(1);
  suggestions second = std::move(first);
  CHECK_THROWS_MATCHES(first.ask(), tuning_finished, says("asked for a suggestion, but the tuner was moved from"));
  CHECK_THROWS_MATCHES(first.tell(1.0), tuning_finished, says("told an observation, but the tuner was moved from"));
  first = std::move(second);
  CHECK_THROWS_MATCHES(second.ask(), tuning_finished, says("was moved from"));
  first.ask();
  first.tell(1.0);
  CHECK_THROWS_MATCHES(first.ask(), tuning_finished, says("has finished"));
}

TEST_CASE("range-for walks the suggestions until the tuner ends") {
  std::vector<std::uint64_t> numbers;
  suggestions tuner = counting(4);
  for (suggestion const& s : tuner) {
    numbers.push_back(s.number);
    tuner.tell(0.0);
  }
  CHECK(numbers == std::vector<std::uint64_t>{1, 2, 3, 4});
}

TEST_CASE("a training loop that is a coroutine awaits its suggestions") {
  std::vector<std::uint64_t> numbers;
  suggestions tuner = counting(3) | maximize();
  auto train = [&]() -> task {
    for (auto const* s = co_await tuner.next(); s; s = co_await tuner.next(observation{.metric = 1.0})) {
      numbers.push_back(s->number);
    }
  };
  train();
  CHECK(numbers == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(tuner.finished());
}

TEST_CASE("an exception inside a tuner reaches the coroutine that awaits it") {
  suggestions tuner = counting(3);
  bool caught = false;
  auto train = [&]() -> task {
    co_await tuner.next();
    try {
      co_await tuner.next(observation{.metric = 13.0});
    } catch (unlucky const&) {
      caught = true;
    }
  };
  train();
  CHECK(caught);
  CHECK(tuner.finished());
}

TEST_CASE("awaiting and telling mix: both speak to the same conversation") {
  suggestions tuner = counting(5);
  std::uint64_t last = 0;
  auto train = [&]() -> task {
    co_await tuner.next();
    tuner.tell(1.0);
    last = tuner.ask().number;
    last = (co_await tuner.next(observation{.metric = 1.0}))->number;
  };
  train();
  CHECK(last == 3);
  CHECK(tuner.ask().number == 3);
}

TEST_CASE("an answer that comes after the end is followed by nothing, as one that leads there") {
  std::vector<std::uint64_t> numbers;
  std::stop_source source;
  suggestions stopped = counting(5), over = counting(1);
  stopped.stop_on(source.get_token());
  auto train = [&](suggestions& tuner) -> task {
    for (auto const* s = co_await tuner.next(); s; s = co_await tuner.next(observation{.metric = 1.0})) {
      numbers.push_back(s->number);
      if (s->number == 2) source.request_stop();
    }
    numbers.push_back(co_await tuner.next(observation{.metric = 1.0}) ? 100 : 0);
  };
  train(stopped);
  CHECK(numbers == std::vector<std::uint64_t>{1, 2, 0});
  numbers.clear();
  train(over);
  CHECK(numbers == std::vector<std::uint64_t>{1, 0});
}
