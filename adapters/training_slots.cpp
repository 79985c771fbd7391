module;
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <format>
#include <utility>

#include "torch_fwd.hpp"

module autotunenet.torch;

namespace autotunenet {

namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

training_slots::training_slots(torch::nn::Module& model, torch::optim::Optimizer& optimizer, slot_options options)
    : model_(&model),
      optimizer_(&optimizer),
      random_engine_(options.random_engine),
      folder_(std::move(options.folder)),
      budget_(options.budget),
      trial_{empty_snapshot()},
      candidate_{empty_snapshot()},
      good_{empty_snapshot()},
      begin_(seconds_now()) {
  if (!(budget_ >= 0.0)) {
    throw invalid_option(
        std::format("budget: {} is not allowed; it is a fraction of training time, at least 0", budget_));
  }
  if (!training_snapshot::possible(optimizer)) {
    throw invalid_option(
        "the optimizer is not LibTorch's and does not implement `save`: its state cannot be put back; leave the model "
        "out");
  }
}

slots_report training_slots::carry_out(training_state what, std::uint64_t step) {
  slots_report report;
  if (what == training_state::keep) return report;
  if (has(what, training_state::return_to_trial)) put_back(trial_, training_state::return_to_trial, report);
  if (has(what, training_state::return_to_good)) {
    // Before the first promotion the candidate is all there is: the state that training began with.
    put_back(good_.valid ? good_ : candidate_, training_state::return_to_good, report);
  }
  if (has(what, training_state::promote) && candidate_.valid) {
    std::swap(candidate_, good_);  // the older good one's storage serves the next candidate
    candidate_.valid = false;
  }
  if (has(what, training_state::mark_candidate)) {
    candidate_.valid = false;
    if (affordable()) {
      mark(candidate_, step, report);
      has_marked_candidate_ = true;
    } else {
      ++left_out_;
      report.complete = false;
    }
  }
  if (has(what, training_state::mark_trial)) mark(trial_, step, report);
  if (has(what, training_state::drop_trial)) {
    trial_.saved.clear();
    trial_.valid = false;
  }
  return report;
}

void training_slots::put_back(slot const& from, training_state what, slots_report& report) {
  if (!from.valid) {
    report.complete = false;
    return;
  }
  from.saved.restore(*optimizer_);
  report.returned = what;
  report.marked_at = from.step;
}

void training_slots::mark(slot& to, std::uint64_t step, slots_report& report) {
  double const start = seconds_now();
  to.valid = false;
  try {
    to.saved.save(*model_, *optimizer_);
    to.valid = true;
    to.step = step;
    ++marks_;
  } catch (error const&) {
    if (folder_.empty()) throw;
    to.saved.clear();
    ++left_out_;
    report.complete = false;
  }
  spent_ += seconds_now() - start;
}

void training_slots::fields(archive& a) {
  a.section("training slots");
  double training = seconds_now() - begin_;
  double spent = spent_;
  bool has_marked = has_marked_candidate_;
  std::uint64_t marks = marks_, left_out = left_out_;
  a(training)(spent)(has_marked)(marks)(left_out);
  std::array<slot, 3> read;
  std::array<slot*, 3> const own{&trial_, &candidate_, &good_};
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (a.reading()) read[i].saved = empty_snapshot();
    slot& one = a.reading() ? read[i] : *own[i];
    a(one.valid)(one.step);
    if (one.valid) one.saved.fields(a, *model_, *optimizer_);
  }
  if (!a.reading()) return;
  for (std::size_t i = 0; i < own.size(); ++i) *own[i] = std::move(read[i]);
  begin_ = seconds_now() - training;
  spent_ = spent;
  has_marked_candidate_ = has_marked;
  marks_ = marks;
  left_out_ = left_out;
}

bool training_slots::affordable() const {
  double const training = seconds_now() - begin_ - spent_;
  return !has_marked_candidate_ || spent_ <= budget_ * training;
}

std::size_t training_slots::bytes() const {
  return trial_.saved.bytes() + candidate_.saved.bytes() + good_.saved.bytes();
}

}  // namespace autotunenet
