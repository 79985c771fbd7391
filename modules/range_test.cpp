module;
#include <cmath>
#include <coroutine>
#include <cstddef>
#include <format>
#include <memory_resource>
#include <utility>

#include "landing_proof.hpp"
#include "pilot_plan.hpp"
#include "range_sweep.hpp"

module autotunenet;

import :range_testing;

namespace autotunenet {

namespace {

range_sweep sweep_of(range_test_options const& given) {
  return range_sweep({.horizon = given.horizon,
                      .part = given.budget,
                      .most_part = given.most_budget,
                      .least_steps = given.least_steps,
                      .enough_steps = given.enough_steps,
                      .most_steps = given.most_steps,
                      .long_run = given.long_run,
                      .back_off = given.back_off,
                      .least_back_off = given.least_back_off});
}

landing_proof proof_of(range_test_options const& given) noexcept {
  std::size_t const run = given.horizon > 0 ? given.horizon : given.long_run;
  return {landing_proof::length_for(given.proof, run), given.restarts};
}

pilot_plan pilots_of(range_test_options const& given, landing_proof const& proof) noexcept {
  // A run that can afford branches corrects its value by those.
  double const part = given.horizon < given.long_run ? given.pilot : 0.0;
  return {static_cast<std::size_t>(part * static_cast<double>(given.horizon)), static_cast<std::size_t>(proof.length()),
          given.horizon};
}

}  // namespace

range_test::range_test(range_test_options options, std::pmr::memory_resource* memory)
    : options_(std::move(options)), memory_(memory) {
  if (!(options_.budget >= 0.0 && options_.most_budget >= options_.budget && options_.most_budget <= 1.0)) {
    throw invalid_option(
        std::format("range_test: budget = {} and most_budget = {} must lie between 0 and 1, in this order",
                    options_.budget, options_.most_budget));
  }
  if (!(options_.back_off >= 1.0 && std::isfinite(options_.back_off))) {
    throw invalid_option(std::format("range_test: back_off = {} must be at least 1", options_.back_off));
  }
  if (!(options_.least_back_off >= 1.0 && options_.least_back_off <= options_.back_off)) {
    throw invalid_option(
        std::format("range_test: least_back_off = {} must lie between 1 and back_off", options_.least_back_off));
  }
  if (!(options_.pilot >= 0.0 && options_.pilot <= 1.0)) {
    throw invalid_option(std::format("range_test: pilot = {} must lie between 0 and 1", options_.pilot));
  }
  if (!(options_.proof > 0.0 && options_.proof <= 1.0)) {
    throw invalid_option(std::format("range_test: proof = {} must lie in (0, 1]", options_.proof));
  }
  if (options_.least_steps < 8 || options_.most_steps < options_.least_steps || options_.most_steps > 10000) {
    throw invalid_option(std::format(
        "range_test: least_steps = {} and most_steps = {} must be 8 or more, in this order, and at most 10000",
        options_.least_steps, options_.most_steps));
  }
}

suggestions range_test::operator()(suggestions inner) const {
  landing_proof const proof = proof_of(options_);
  range_testing stage(options_.parameter, sweep_of(options_), proof, pilots_of(options_, proof));
  return drive(std::move(stage), std::move(inner), memory_);
}

}  // namespace autotunenet
