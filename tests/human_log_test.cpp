#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <exception>
#include <limits>
#include <memory>
#include <sstream>
#include <string>

import autotunenet.journal;

using namespace autotunenet;

namespace {

struct captured {
  std::ostringstream text;
  std::shared_ptr<spdlog::logger> logger =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text, true));
  captured() { logger->set_pattern("%l %v"); }
  std::string take() {
    std::string const said = text.str();
    text.str("");
    return said;
  }
};

search_space const space{real{"lr", 1e-4, 1.0, scale::log}, categorical{"act", {"relu", "tanh"}}};

suggestion said(std::size_t number, double lr, reason why, event events = event::none) {
  return {.number = number, .values = space.at({{"lr", lr}}), .why = why, .events = events};
}

}  // namespace

TEST_CASE("the log tells what changes, and why, and is quiet while nothing does") {
  captured out;
  human_log log(out.logger);
  log.suggested(said(1, 0.01, reason::start));
  CHECK(out.take() == "info 1 start: lr 0.01, act tanh\n");
  log.observed(said(1, 0.01, reason::start), {.metric = 2.5});
  log.suggested(said(2, 0.01, reason::warm_up));
  log.suggested(said(3, 0.01, reason::hold));
  CHECK(out.take().empty());
  log.suggested(said(4, 0.02, reason::explore, event::clamped));
  CHECK(out.take() == "info 4 explore: lr 0.01 -> 0.02 (clamped), last metric 2.5\n");
  log.suggested(said(5, 0.02, reason::hold, event::warm_up_ended));
  CHECK(out.take() == "info 5 hold: no change (warm-up ended), last metric 2.5\n");
}

TEST_CASE("failures and rollbacks are warnings") {
  captured out;
  human_log log(out.logger);
  log.suggested(said(1, 0.5, reason::start));
  out.take();
  log.observed(said(1, 0.5, reason::start), {.metric = std::numeric_limits<double>::quiet_NaN()});
  log.suggested(said(2, 0.25, reason::back_off, event::failed | event::backed_off | event::cooldown_began));
  CHECK(out.take() == "warning 2 back off: lr 0.5 -> 0.25 (backed off, cooldown began, failed), last metric nan\n");
  log.suggested(said(3, 0.125, reason::rollback, event::rolled_back));
  CHECK(out.take() == "warning 3 rollback: lr 0.25 -> 0.125 (rolled back), last metric nan\n");
}

TEST_CASE("each event has the level that the log's contract says") {
  constexpr event warnings = event::failed | event::rolled_back | event::backed_off | event::only_worse |
                             event::horizon_passed | event::not_located | event::overridden | event::no_learning_rate |
                             event::not_restorable | event::run_too_short | event::no_difference | event::marked_anew |
                             event::not_measured | event::rare_objective | event::far_horizon;
  constexpr event information = event::clamped | event::cooldown_began | event::cooldown_ended | event::warm_up_ended |
                                event::range_test_began | event::range_test_ended | event::rebased |
                                event::overfitting | event::best_tried | event::best_kept;
  constexpr event debugging = event::regressed | event::became_good;
  captured out;
  out.logger->set_level(spdlog::level::debug);
  human_log log(out.logger);
  log.suggested(said(1, 0.5, reason::start));
  out.take();
  for (event const one : all_events) {
    INFO(to_string(one));
    log.suggested(said(2, 0.5, reason::hold, one));
    std::string const line = out.take();
    CHECK(has(one, warnings) + has(one, information) + has(one, debugging) == 1);
    CHECK(line.starts_with("warning ") == has(one, warnings));
    CHECK(line.starts_with("info ") == has(one, information));
    CHECK(line.starts_with("debug ") == has(one, debugging));
  }
}

TEST_CASE("what changes at every step is for debugging, and is told from what was shown last") {
  captured out;
  human_log log(out.logger);
  log.suggested(said(1, 0.5, reason::start));
  out.take();
  log.suggested(said(2, 0.4, reason::anneal));
  log.suggested(said(3, 0.3, reason::anneal, event::became_good));
  log.suggested(said(4, 0.01, reason::range_test));
  CHECK(out.take().empty());
  log.suggested(said(5, 0.25, reason::exploit));
  CHECK(out.take() == "info 5 exploit: lr 0.5 -> 0.25\n");
  out.logger->set_level(spdlog::level::debug);
  log.suggested(said(6, 0.2, reason::anneal));
  CHECK(out.take() == "debug 6 anneal: lr 0.25 -> 0.2\n");
}

TEST_CASE("a run that was resumed says where it goes on, not what has changed since another") {
  captured out;
  human_log log(out.logger);
  log.suggested(said(1, 1e-3, reason::start));
  out.take();
  log.observed(said(601, 0.02, reason::anneal), {.metric = 0.25});
  log.suggested(said(602, 0.02, reason::anneal));
  CHECK(out.take() == "info 602 anneal: goes on with lr 0.02, act tanh, last metric 0.25\n");
  log.suggested(said(603, 0.03, reason::exploit));
  CHECK(out.take() == "info 603 exploit: lr 0.02 -> 0.03, last metric 0.25\n");
  log.suggested(said(102, 0.5, reason::rollback, event::rolled_back));
  CHECK(out.take() == "warning 102 rollback: goes on with lr 0.5, act tanh (rolled back), last metric 0.25\n");

  human_log fresh(out.logger);
  fresh.suggested(said(602, 0.02, reason::hold));
  CHECK(out.take() == "info 602 hold: goes on with lr 0.02, act tanh\n");
}

TEST_CASE("steps of annealing that were clamped are for debugging, and what else they tell is not") {
  captured out;
  human_log log(out.logger);
  log.suggested(said(1, 0.5, reason::start));
  out.take();
  log.suggested(said(2, 0.25, reason::anneal, event::clamped));
  CHECK(out.take().empty());
  log.suggested(said(3, 0.125, reason::anneal, event::clamped | event::rebased));
  CHECK(out.take().starts_with("info 3 anneal: lr 0.5 -> 0.125 ("));
  log.suggested(said(4, 0.25, reason::explore, event::clamped));
  CHECK(out.take() == "info 4 explore: lr 0.125 -> 0.25 (clamped)\n");
}

TEST_CASE("a log needs a logger") { CHECK_THROWS_AS(human_log(nullptr), invalid_option); }

TEST_CASE("a word cannot break a line of the log, or command the terminal") {
  captured out;
  human_log log(out.logger);
  search_space const hostile{categorical{"a\x1b", {"x\ny\x1b[31m\xc2\x9b\xff\xc3\xa9"}}};
  log.suggested({.number = 1, .values = hostile.center()});
  CHECK(out.take() == "info 1 start: a\\u001B x\\u000Ay\\u001B[31m\\u009B\\xFF\xc3\xa9\n");
}
