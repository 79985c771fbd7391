#include "run.hpp"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <torch/optim/optimizer.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>

#include "batches.hpp"
#include "material.hpp"
#include "network.hpp"
#include "normal.hpp"
#include "optimizers.hpp"
#include "regime.hpp"
#include "schedules.hpp"
#include "search.hpp"

namespace training {

namespace {

using clock = std::chrono::steady_clock;
double seconds(clock::duration d) { return std::chrono::duration<double>(d).count(); }

// A run whose weights are lost, under a method that cannot bring them back, ends after so many steps.
constexpr std::size_t steps_until_lost = 50;

struct score {
  double loss = unknown;
  double accuracy = unknown;
};

score evaluate(network& model, part const& on) {
  torch::NoGradGuard const no_gradient;
  model.eval();
  double loss = 0.0, right = 0.0, count = 0.0;
  for (std::int64_t from = 0; from < on.inputs.size(0); from += 1000) {
    auto const to = std::min<std::int64_t>(from + 1000, on.inputs.size(0));
    auto const targets = on.targets.slice(0, from, to).flatten();
    auto const logits = model.forward(on.inputs.slice(0, from, to));
    loss += model.loss(logits, targets).item<double>() * static_cast<double>(targets.numel());
    right += at::sum(logits.argmax(1) == targets).item<double>();
    count += static_cast<double>(targets.numel());
  }
  model.train();
  return {loss / count, right / count};
}

double dot(std::vector<at::Tensor> const& parameters, std::vector<at::Tensor> const& before, double lr) {
  double sum = 0.0;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].grad().defined())
      sum += at::sum(parameters[i].grad() * (parameters[i] - before[i])).item<double>();
  return lr > 0.0 ? sum / lr : 0.0;
}

void clip(std::vector<at::Tensor> const& parameters, double most) {
  double square = 0.0;
  for (auto const& p : parameters)
    if (p.grad().defined()) square += at::sum(p.grad() * p.grad()).item<double>();
  if (double const norm = std::sqrt(square); norm > most)
    for (auto const& p : parameters)
      if (p.grad().defined()) p.grad().mul_(most / norm);
}

class session {
 public:
  session(job const& what, dataset const& data, controller& method)
      : what_(what), data_(data), method_(method), now_(material_before(what.regime, data)) {
    at::manual_seed(what.seed);
    model_ = make_network(what.problem, data.classes);
    parameters_ = model_->parameters();
    bool const free = what.optimizer == "prodigy";
    optimizer_ = make_optimizer(what.optimizer, parameters_, what.start_lr);
    // A parameter-free optimizer's own rate is a multiple, 1 or a schedule's shape, whatever the start.
    plan_.start_lr = free ? 1.0 : what.start_lr;
    std::size_t const batch = what.reads_text() ? 32 : 64;
    plan_.steps_per_epoch = (data.train.count + batch - 1) / batch;
    plan_.steps = plan_.steps_per_epoch * what.epochs;
    plan_.seed = what.seed;
    plan_.optimizer = what.optimizer;
    plan_.problem = what.problem;
    batches_ = batches(now_.rows, batch, what.seed);
    noise_ = normal_stream(what.seed + 7);
    if (what.regime == trained_before) train_before();
    trainee_ = {.optimizer = optimizer_.get(),
                .model = model_.get(),
                .lr = [this] { return optimizer_->param_groups()[0].options().get_lr(); },
                .set_lr =
                    [this](double rate) {
                      for (auto& group : optimizer_->param_groups()) group.options().set_lr(rate);
                    },
                .dropout = &dropout_,
                .clip_norm = &clip_norm_};
  }

  record train() {
    auto const began = clock::now();
    record out{.what = what_};
    initial_loss_ = evaluate(*model_, now_.validation).loss;
    timed([&] { method_.begin(plan_, trainee_); });
    bool const shifts = is_shift(what_.regime);
    std::size_t const parts = shifts ? 4 : 1;
    for (std::size_t epoch = 0; epoch < what_.epochs && !lost(); ++epoch) {
      if (shifts && epoch == shift_epoch(what_.epochs)) shift();
      for (std::size_t quarter = 0; quarter < parts; ++quarter) {
        for (std::size_t end = plan_.steps_per_epoch * (quarter + 1) / parts; in_epoch_ < end; ++in_epoch_) step();
        out.history.push_back(
            measure(static_cast<double>(epoch) + static_cast<double>(quarter + 1) / static_cast<double>(parts)));
      }
      in_epoch_ = 0;
      timed([&] { method_.after_epoch(epoch, out.history.back().val_loss, trainee_); });
    }
    finish(out);
    out.wall_seconds = seconds(clock::now() - began);
    return out;
  }

 private:
  template <class Call>
  void timed(Call call) {
    auto const began = clock::now();
    call();
    in_controller_ += clock::now() - began;
  }

  void train_before() {
    constexpr double peak = 1e-3;
    auto const optimizer = make_optimizer("adam", parameters_, peak);
    std::size_t const steps = epochs_before * plan_.steps_per_epoch;
    for (std::size_t n = 0; n < steps; ++n) {
      double const rate = peak * cosine_shape(static_cast<double>(n) / static_cast<double>(steps));
      for (auto& group : optimizer->param_groups()) group.options().set_lr(rate);
      optimizer->zero_grad();
      auto const [inputs, targets] = batch();
      model_->loss(model_->forward(inputs), targets).backward();
      optimizer->step();
    }
    optimizer->zero_grad();
  }

  bool lost() const { return !method_.restores() && lost_steps_ >= steps_until_lost; }

  void shift() {
    now_ = material_after(what_.regime, data_, what_.seed);
    batches_.replace_rows(now_.rows);
  }

  void disturb_gradients() {
    torch::NoGradGuard const no_gradient;
    for (auto const& p : parameters_) {
      if (!p.grad().defined()) continue;
      if (now_.weight_decay > 0.0) p.grad().add_(p, now_.weight_decay);
      if (now_.gradient_noise > 0.0) p.grad().add_(at::randn_like(p), now_.gradient_noise);
    }
  }

  void before_update() {
    torch::NoGradGuard const no_gradient;
    if (std::isfinite(clip_norm_)) clip(parameters_, clip_norm_);
    if (!method_.wants_alignment()) return;
    double const alignment = before_.empty() ? 0.0 : dot(parameters_, before_, last_lr_);
    timed([&] { method_.before_update(alignment, trainee_); });
    before_.resize(parameters_.size());
    for (std::size_t i = 0; i < parameters_.size(); ++i) before_[i] = parameters_[i].detach().clone();
    last_lr_ = trainee_.lr();
  }

  part batch() {
    auto const rows = batches_.next();
    auto const index = at::from_blob(const_cast<std::int64_t*>(rows.data()), {static_cast<std::int64_t>(rows.size())},
                                     at::TensorOptions().dtype(at::kLong));
    return {now_.train.inputs.index_select(0, index), now_.train.targets.index_select(0, index).flatten()};
  }

  void step() {
    timed([&] { method_.before_step(steps_, trainee_); });
    auto const [inputs, targets] = batch();
    model_->dropout = std::max(dropout_, now_.dropout);
    optimizer_->zero_grad();
    auto loss = model_->loss(model_->forward(inputs), targets);
    if (now_.loss_noise > 0.0)
      loss = loss * std::exp(now_.loss_noise * noise_.next() - 0.5 * now_.loss_noise * now_.loss_noise);
    loss.backward();
    if (now_.weight_decay > 0.0 || now_.gradient_noise > 0.0) disturb_gradients();
    before_update();
    optimizer_->step();
    double const value = loss.item<double>();
    sum_ += value;
    ++summed_;
    most_ = std::max(most_, value);
    lost_steps_ = std::isfinite(value) ? 0 : lost_steps_ + 1;
    timed([&] { method_.after_step(steps_, value, trainee_); });
    ++steps_;
  }

  measurement measure(double epoch) {
    auto const now = evaluate(*model_, now_.validation);
    measurement const m{.epoch = epoch,
                        .step = steps_,
                        .val_loss = now.loss,
                        .val_accuracy = now.accuracy,
                        .train_loss = sum_ / static_cast<double>(summed_),
                        .lr = trainee_.lr()};
    sum_ = 0.0;
    summed_ = 0;
    return m;
  }

  void finish(record& out) {
    out.final_val_loss = out.history.back().val_loss;
    out.best_val_loss = std::numeric_limits<double>::infinity();
    for (auto const& m : out.history)
      if (m.val_loss < out.best_val_loss) out.best_val_loss = m.val_loss;
    out.test_accuracy = evaluate(*model_, now_.test).accuracy;
    // Not merely slow: the loss rose far above the start's, or was lost, and training ended with nothing learned.
    bool const learned = out.final_val_loss < 0.95 * initial_loss_;
    out.diverged = !std::isfinite(out.final_val_loss) || (!learned && !(most_ < 2.0 * initial_loss_));
    auto const done = method_.done();
    out.rollbacks = done.rollbacks;
    out.extra_work_fraction = static_cast<double>(done.undone_steps) / static_cast<double>(plan_.steps);
    out.overfitted_fraction = static_cast<double>(done.overfitted_steps) / static_cast<double>(plan_.steps);
    out.controller_seconds = seconds(in_controller_);
  }

  job what_;
  dataset const& data_;
  controller& method_;
  material now_;
  plan plan_;
  trainee trainee_;
  std::shared_ptr<network> model_;
  std::vector<at::Tensor> parameters_, before_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  batches batches_{{}, 1, 0};
  normal_stream noise_{0};
  double dropout_ = 0.0, clip_norm_ = std::numeric_limits<double>::infinity();
  double initial_loss_ = unknown, last_lr_ = 0.0, sum_ = 0.0, most_ = 0.0;
  std::size_t steps_ = 0, in_epoch_ = 0, summed_ = 0, lost_steps_ = 0;
  clock::duration in_controller_{};
};

}  // namespace

void set_threads(int count) { at::set_num_threads(count); }

record train(job const& what, dataset const& data, controller& method) { return session(what, data, method).train(); }

record run(job const& what, dataset const& data) {
  if (is_search(what.method)) return search(what, data);
  return train(what, data, *make_controller(what.method));
}

}  // namespace training
