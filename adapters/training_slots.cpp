module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <format>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor_storage.hpp"
#include "torch_fwd.hpp"

module autotunenet.torch;

namespace autotunenet {

namespace {

constexpr std::size_t most_snapshots = 64;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

training_slots::training_slots(torch::nn::Module& model, torch::optim::Optimizer& optimizer, slot_options options)
    : model_(&model),
      optimizer_(&optimizer),
      also_(std::move(options.also)),
      random_engine_(options.random_engine),
      folder_(lasting_folder(options.folder)),
      budget_(options.budget),
      best_{empty_snapshot()},
      origin_{empty_snapshot()},
      trial_{empty_snapshot()},
      candidate_{empty_snapshot()},
      begin_(seconds_now()) {
  if (options.snapshots < 2 || options.snapshots > most_snapshots) {
    throw invalid_option(
        std::format("snapshots: {} is not allowed; it is 2 to {}: the candidate and the good states before it",
                    options.snapshots, most_snapshots));
  }
  while (good_.size() + 1 < options.snapshots) good_.push_back({empty_snapshot()});
  if (!(budget_ >= 0.0)) {
    throw invalid_option(
        std::format("budget: {} is not allowed; it is a fraction of training time, at least 0", budget_));
  }
  if (!training_snapshot::share_parameters(model, optimizer)) {
    throw invalid_option(
        "model: it has no parameter that the optimizer trains; give the module whose parameters() the optimizer has, "
        "or one that contains it");
  }
  if (!training_snapshot::possible(optimizer)) {
    throw invalid_option(
        "the optimizer is not LibTorch's and does not implement `save`: its state cannot be put back; leave the model "
        "out");
  }
  for (std::size_t i = 0; i < also_.size(); ++i) {
    auto const refuse = [i](std::string_view why) {
      throw invalid_option(std::format("also: optimizer {} {}", i, why));
    };
    if (!also_[i]) refuse("is null; name optimizers that there are");
    if (also_[i] == optimizer_ || std::ranges::count(also_, also_[i]) > 1)
      refuse("is given twice; name each that is not the tuned one once");
    if (!training_snapshot::possible(*also_[i])) {
      refuse(
          "is not LibTorch's and does not implement `save`: its state cannot be put back; leave it out, or the model");
    }
  }
}

slots_report training_slots::carry_out(training_state what, std::uint64_t step) {
  slots_report report;
  if (what == training_state::keep) return report;
  if (has(what, training_state::mark_best)) mark(best_, on_others_, step, report);
  if (has(what, training_state::return_to_best)) put_back(best_, training_state::return_to_best, report);
  if (has(what, training_state::return_to_trial)) put_back(trial_, training_state::return_to_trial, report);
  if (has(what, training_state::return_to_good)) return_to_good(report);
  if (has(what, training_state::promote) && candidate_.valid) {
    std::ranges::rotate(good_, good_.end() - 1);
    std::swap(candidate_, good_.front());  // the oldest good one's storage serves the next candidate
    candidate_.valid = false;
    returned_ = false;
  }
  if (has(what, training_state::mark_candidate)) {
    candidate_.valid = false;
    if (affordable()) {
      mark(candidate_, on_candidates_, step, report);
      has_marked_candidate_ = true;
    } else {
      ++left_out_;
      report.complete = false;
    }
  }
  if (has(what, training_state::mark_trial)) mark(trial_, on_others_, step, report);
  if (has(what, training_state::drop_trial)) drop(trial_);
  if (has(what, training_state::mark_origin)) mark(origin_, on_others_, step, report);
  if (has(what, training_state::return_to_origin)) put_back(origin_, training_state::return_to_origin, report);
  if (has(what, training_state::drop_origin)) drop(origin_);
  return report;
}

bool training_slots::renew_if_replaced(std::uint64_t step) {
  bool replaced = false;
  slots_report report;
  auto const renew = [&](slot& one) {
    if (!one.valid || (!replaced && !one.saved.replaced(*optimizer_))) return;
    replaced = true;
    mark(one, on_others_, step, report);
  };
  for (slot* one : {&best_, &origin_, &trial_, &candidate_}) renew(*one);
  for (slot& one : good_) renew(one);
  return replaced;
}

void training_slots::return_to_good(slots_report& report) {
  if (returned_ && good_.size() > 1 && good_[1].valid) {
    good_.front().valid = false;
    std::ranges::rotate(good_, good_.begin() + 1);
  }
  // Before the first promotion the candidate is all there is: the state that training began with.
  put_back(good_.front().valid ? good_.front() : candidate_, training_state::return_to_good, report, false);
  returned_ = good_.front().valid;
}

void training_slots::return_to_finite(slots_report& report) {
  slot const* latest = nullptr;
  training_state what = training_state::keep;
  auto const consider = [&](slot const& one, training_state is) {
    bool const later = !latest || one.step > latest->step;
    if (!one.valid || !later || !one.saved.finite()) return;
    latest = &one;
    what = is;
  };
  for (slot const& one : good_) consider(one, training_state::return_to_good);
  consider(candidate_, training_state::return_to_good);
  consider(best_, training_state::return_to_best);
  consider(trial_, training_state::return_to_trial);
  consider(origin_, training_state::return_to_origin);
  if (latest) put_back(*latest, what, report, false);
}

slots_report training_slots::leave_trial() {
  return carry_out(trial_.valid ? training_state::return_to_trial : training_state::return_to_origin);
}

void training_slots::put_back(slot const& from, training_state what, slots_report& report, bool and_random_engine) {
  if (!from.valid) {
    report.complete = false;
    return;
  }
  from.saved.restore(*optimizer_, and_random_engine, also_);
  report.returned = what;
  report.marked_at = from.step;
}

void training_slots::mark(slot& to, double& cost, std::uint64_t step, slots_report& report) {
  double const start = seconds_now();
  to.valid = false;
  try {
    to.saved.save(*model_, *optimizer_, also_);
    to.valid = true;
    to.step = step;
    ++marks_;
  } catch (error const&) {
    if (folder_.empty()) throw;
    to.saved.clear();
    ++left_out_;
    report.complete = false;
  }
  cost += seconds_now() - start;
}

void training_slots::drop(slot& one) {
  one.saved.clear();
  one.valid = false;
}

void training_slots::fields(archive& a) {
  a.section("training slots");
  double training = seconds_now() - begin_;
  double on_candidates = on_candidates_, on_others = on_others_;
  bool has_marked = has_marked_candidate_, returned = returned_;
  std::uint64_t marks = marks_, left_out = left_out_;
  a(training)(on_candidates)(on_others)(has_marked)(returned)(marks)(left_out);
  std::uint64_t snapshots = good_.size() + 1;
  a(snapshots);
  if (snapshots != good_.size() + 1)
    archive::refuse(std::format("was made with {} snapshots; here there are {}", snapshots, good_.size() + 1));
  auto const exchange = [&](slot& one) {
    a(one.valid)(one.step);
    if (one.valid) one.saved.fields(a, *model_, *optimizer_, also_);
  };
  if (!a.reading()) {
    a.reserve(room_in_archive(bytes(), 4 + good_.size()));
    exchange(best_);
    exchange(origin_);
    exchange(trial_);
    exchange(candidate_);
    for (slot& one : good_) exchange(one);
    return;
  }
  slot best{empty_snapshot()}, origin{empty_snapshot()}, trial{empty_snapshot()}, candidate{empty_snapshot()};
  exchange(best);
  exchange(origin);
  exchange(trial);
  exchange(candidate);
  std::vector<slot> good;
  good.reserve(good_.size());
  while (good.size() < good_.size()) exchange(good.emplace_back(empty_snapshot()));
  best_ = std::move(best);
  origin_ = std::move(origin);
  trial_ = std::move(trial);
  candidate_ = std::move(candidate);
  good_ = std::move(good);
  begin_ = seconds_now() - training;
  on_candidates_ = on_candidates;
  on_others_ = on_others;
  has_marked_candidate_ = has_marked;
  returned_ = returned;
  marks_ = marks;
  left_out_ = left_out;
}

bool training_slots::affordable() const {
  double const training = seconds_now() - begin_ - seconds();
  return !has_marked_candidate_ || on_candidates_ <= budget_ * training;
}

std::size_t training_slots::bytes() const {
  std::size_t sum = 0;
  for (slot const* one : {&best_, &origin_, &trial_, &candidate_}) sum += one->saved.bytes();
  for (slot const& one : good_) sum += one.saved.bytes();
  return sum;
}

}  // namespace autotunenet
