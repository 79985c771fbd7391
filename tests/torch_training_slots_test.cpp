#include <ATen/core/grad_mode.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include "support/file_size_limit.hpp"
#include "support/folder.hpp"
#include "support/small_network.hpp"

import autotunenet.torch;

using namespace autotunenet;
using enum training_state;
namespace optim = torch::optim;

namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("a candidate that was too dear to mark is never replaced by an older one") {
  seed(4);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  training_slots slots(network, sgd, {.budget = 0.0});
  slots.carry_out(mark_candidate, 0);
  slots.carry_out(promote);
  auto const good = weights(network);
  train_step(network, sgd);
  CHECK_FALSE(slots.carry_out(mark_candidate, 1).complete);
  CHECK(slots.marks() == 1);
  CHECK(slots.marks_left_out() == 1);
  train_step(network, sgd);
  slots.carry_out(promote);
  slots_report const report = slots.carry_out(return_to_good);
  CHECK(report.complete);
  CHECK(report.marked_at == 0);
  CHECK(same_bits(weights(network), good));

  slots.carry_out(mark_trial, 2);
  CHECK(slots.marks() == 2);
}

TEST_CASE("the state at the best validation is kept beside the others, whatever they cost") {
  seed(5);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  training_slots slots(network, sgd, {.budget = 0.0});
  CHECK_FALSE(slots.carry_out(return_to_best).complete);
  slots.carry_out(mark_candidate, 0);
  slots.carry_out(promote | mark_best, 1);
  train_step(network, sgd);
  auto const better = weights(network);
  slots.carry_out(mark_best, 2);
  training_slots other(network, sgd, {.budget = 0.0});
  load(other, save(slots));
  for (training_slots* each : {&slots, &other}) {
    train_step(network, sgd);
    slots_report const report = each->carry_out(return_to_best);
    CHECK(report.complete);
    CHECK(report.returned == return_to_best);
    CHECK(report.marked_at == 2);
    CHECK(same_bits(weights(network), better));
    CHECK(each->carry_out(return_to_good).marked_at == 0);
  }
}

TEST_CASE("the first candidate is marked whatever trials have cost before") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  training_slots slots(network, sgd, {.budget = 0.0});
  slots.carry_out(mark_trial, 0);
  slots.carry_out(drop_trial | mark_candidate, 1);
  slots.carry_out(promote);
  CHECK(slots.carry_out(return_to_good).marked_at == 1);
}

TEST_CASE("what trials cost leaves candidates their budget") {
  torch::nn::Linear model(300, 300);
  optim::SGD sgd(model->parameters(), optim::SGDOptions(0.1));
  training_slots slots(*model, sgd, {.budget = 1.0});
  slots.carry_out(mark_candidate, 0);
  double const one = slots.seconds();
  // Training that would pay for candidates, and never for the trials.
  std::this_thread::sleep_for(std::chrono::duration<double>(2.0 * one));
  while (slots.seconds() < 100.0 * one) slots.carry_out(mark_origin | mark_trial, 1);
  CHECK(slots.carry_out(mark_candidate, 2).complete);
}

TEST_CASE("a mark that the folder has no room for is left out, and training goes on") {
  test::folder const place;
  torch::nn::Linear model(200, 200);
  optim::SGD sgd(model->parameters(), optim::SGDOptions(0.1));
  training_slots slots(*model, sgd, {.folder = place.path()});
  slots.carry_out(mark_candidate, 0);
  slots.carry_out(promote);
  {
    test::file_size_limit const none(1000);
    CHECK_FALSE(slots.carry_out(mark_trial, 1).complete);
    CHECK_FALSE(slots.carry_out(return_to_trial).complete);
  }
  CHECK(slots.marks_left_out() == 1);
  CHECK(slots.carry_out(return_to_good).complete);
  CHECK(slots.carry_out(mark_trial, 2).complete);
  CHECK(slots.carry_out(return_to_trial).marked_at == 2);
}

TEST_CASE("before anything was promoted, the candidate is what training returns to") {
  seed(6);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  training_slots slots(network, sgd, {.budget = unlimited});
  slots.carry_out(mark_candidate, 0);
  auto const start = weights(network);
  train_step(network, sgd);
  slots_report const report = slots.carry_out(return_to_good);
  CHECK(report.complete);
  CHECK(report.marked_at == 0);
  CHECK(same_bits(weights(network), start));
}

TEST_CASE("a candidate left unpromoted is void once its successor could not be marked") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  training_slots slots(network, sgd, {.budget = 0.0});
  slots.carry_out(mark_candidate, 0);
  slots.carry_out(mark_candidate, 1);
  CHECK(slots.marks_left_out() == 1);
  slots.carry_out(promote);
  CHECK_FALSE(slots.carry_out(return_to_good).complete);
}

TEST_CASE("a promotion moves the candidate without copying, and the good one outlives later candidates") {
  seed(5);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1).momentum(0.9));
  training_slots slots(network, sgd, {.budget = unlimited});
  std::vector<std::vector<at::Tensor>> at;
  for (std::uint64_t i = 0; i < 4; ++i) {
    at.push_back(weights(network));
    slots.carry_out(promote | mark_candidate, i);
    train_step(network, sgd);
  }
  CHECK(slots.marks() == 4);
  slots_report const report = slots.carry_out(return_to_good);
  CHECK(report.returned == return_to_good);
  CHECK(report.marked_at == 2);
  CHECK(same_bits(weights(network), at[2]));
  auto const two = slots.bytes();
  slots.carry_out(mark_trial);
  CHECK(slots.bytes() > two);
  slots.carry_out(drop_trial);
  CHECK(slots.bytes() == two);
}

TEST_CASE("a budget that is no fraction is refused") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  for (double const budget : {-0.1, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_MATCHES(training_slots(network, sgd, {.budget = budget}), invalid_option,
                         Catch::Matchers::MessageMatches(Catch::Matchers::ContainsSubstring("budget: ")));
  }
}

TEST_CASE("a return puts the random engine back, but to the good state, after which training meets other batches") {
  seed(6);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  for (auto const& [mark, back] : {std::pair{mark_candidate, return_to_good}, std::pair{mark_trial, return_to_trial},
                                   std::pair{mark_origin, return_to_origin}}) {
    training_slots slots(network, sgd);
    slots.carry_out(mark, 0);
    at::Tensor const first = at::randn({4}), second = at::randn({4});
    seed(7);
    at::Tensor const other = at::randn({4});
    seed(7);
    slots.carry_out(back);
    CHECK(at::equal(at::randn({4}), back == return_to_good ? other : first));
  }
}

TEST_CASE("the latest state that is finite is returned to, whichever it is") {
  seed(9);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  auto const spoil = [&] {
    at::NoGradGuard const no_grad;
    network.parameters().front().fill_(std::numeric_limits<double>::quiet_NaN());
  };
  training_slots slots(network, sgd, {.budget = unlimited});
  slots_report none;
  slots.return_to_finite(none);
  CHECK(none.returned == keep);
  slots.carry_out(mark_origin | mark_candidate, 0);
  slots.carry_out(promote);
  train_step(network, sgd);
  auto const best = weights(network);
  slots.carry_out(mark_best, 5);
  spoil();
  slots.carry_out(mark_candidate | mark_trial, 9);
  slots_report report;
  slots.return_to_finite(report);
  CHECK(report.returned == return_to_best);
  CHECK(report.marked_at == 5);
  CHECK(same_bits(weights(network), best));
}

TEST_CASE("with more snapshots, trouble that comes back goes further back, as far as there are good states") {
  seed(8);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1).momentum(0.9));
  training_slots slots(network, sgd, {.budget = unlimited, .snapshots = 4});
  std::vector<std::vector<at::Tensor>> at;
  for (std::uint64_t i = 0; i < 6; ++i) {
    at.push_back(weights(network));
    slots.carry_out(promote | mark_candidate, i);
    train_step(network, sgd);
  }
  for (std::uint64_t const expected : {4, 3, 2, 2}) {
    slots_report const report = slots.carry_out(return_to_good);
    CHECK(report.marked_at == expected);
    CHECK(same_bits(weights(network), at[expected]));
    train_step(network, sgd);
  }
  // A promotion says that the trouble is over; those that led into it are forgotten.
  slots.carry_out(mark_candidate, 10);
  slots.carry_out(promote);
  CHECK(slots.carry_out(return_to_good).marked_at == 10);
  CHECK(slots.carry_out(return_to_good).marked_at == 2);
}

TEST_CASE("the number of snapshots bounds what they hold, and is kept in checkpoints") {
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  auto const filled = [&](std::size_t snapshots) {
    training_slots slots(network, sgd, {.budget = unlimited, .snapshots = snapshots});
    for (std::uint64_t i = 0; i < 10; ++i) slots.carry_out(promote | mark_candidate, i);
    return slots;
  };
  training_slots two = filled(2), five = filled(5);
  CHECK(2 * five.bytes() == 5 * two.bytes());
  auto const kept = save(five);
  CHECK_THROWS_AS(load(two, kept), checkpoint_error);
  CHECK(two.carry_out(return_to_good).marked_at == 8);
  training_slots other(network, sgd, {.budget = unlimited, .snapshots = 5});
  load(other, kept);
  for (std::uint64_t const expected : {8, 7, 6, 5, 5}) CHECK(other.carry_out(return_to_good).marked_at == expected);
  for (std::size_t const count : {0, 1, 65}) {
    CHECK_THROWS_MATCHES(training_slots(network, sgd, {.snapshots = count}), invalid_option,
                         Catch::Matchers::MessageMatches(Catch::Matchers::ContainsSubstring("snapshots: ")));
  }
}

TEST_CASE("what is asked for at once is carried out in the order of declaration") {
  seed(6);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  training_slots slots(network, sgd, {.budget = unlimited});
  auto const first = weights(network);
  slots.carry_out(mark_candidate | mark_trial, 0);
  train_step(network, sgd);
  // First the trial's state comes back, then the candidate of before is promoted, then what came back is marked.
  slots_report const report = slots.carry_out(return_to_trial | promote | mark_candidate | drop_trial, 1);
  CHECK(report.returned == return_to_trial);
  CHECK(same_bits(weights(network), first));
  train_step(network, sgd);
  slots.carry_out(promote);
  CHECK(slots.carry_out(return_to_good).marked_at == 1);
  CHECK(same_bits(weights(network), first));
  CHECK_FALSE(slots.carry_out(return_to_trial).complete);
  CHECK(slots.carry_out(keep).returned == keep);
}

TEST_CASE("a trial can be saved and left for the origin, and both come back as they were, also from a checkpoint") {
  seed(7);
  small_network network;
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1).momentum(0.9));
  training_slots slots(network, sgd, {.budget = unlimited});
  auto const origin = weights(network);
  slots.carry_out(mark_origin, 0);
  train_step(network, sgd);
  auto const trial = weights(network);
  slots_report const left = slots.carry_out(mark_trial | return_to_origin, 1);
  CHECK(left.returned == return_to_origin);
  CHECK(left.marked_at == 0);
  CHECK(same_bits(weights(network), origin));
  auto const kept = save(slots);
  training_slots other(network, sgd, {.budget = unlimited});
  load(other, kept);
  for (training_slots* each : {&slots, &other}) {
    train_step(network, sgd);
    CHECK(each->carry_out(return_to_trial | drop_trial).marked_at == 1);
    CHECK(same_bits(weights(network), trial));
    CHECK(each->carry_out(return_to_origin | drop_origin).complete);
    CHECK(same_bits(weights(network), origin));
    CHECK(each->bytes() == 0);
    CHECK_FALSE(each->carry_out(return_to_origin).complete);
  }
}

TEST_CASE("a model of which the optimizer trains nothing is refused, and one that shares a part is not") {
  small_network network, another;
  auto const refused = [](torch::nn::Module& model, optim::Optimizer& optimizer) {
    CHECK_THROWS_MATCHES(
        training_slots(model, optimizer), invalid_option,
        Catch::Matchers::MessageMatches(Catch::Matchers::ContainsSubstring("no parameter that the optimizer trains")));
  };
  optim::SGD sgd(network.parameters(), optim::SGDOptions(0.1));
  refused(another, sgd);
  optim::SGD nothing(std::vector<at::Tensor>{}, optim::SGDOptions(0.1));
  refused(network, nothing);
  optim::SGD part(network.first_layer(), optim::SGDOptions(0.1));
  CHECK_NOTHROW(training_slots(network, part));
  std::vector<at::Tensor> both = another.first_layer();
  for (at::Tensor const& one : network.parameters()) both.push_back(one);
  optim::SGD more(both, optim::SGDOptions(0.1));
  CHECK_NOTHROW(training_slots(network, more));
}
