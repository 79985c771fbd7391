#include "training.hpp"

#include <torch/optim/optimizer.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <format>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "network.hpp"
#include "optimizer.hpp"
#include "place.hpp"

import autotunenet;
import autotunenet.journal;
import autotunenet.torch;
import fashion_mnist.tuning;

namespace fashion {
namespace {

struct tensors {
  torch::Tensor images, labels;

  explicit tensors(labelled_images const& from)
      : images(torch::tensor(at::ArrayRef<std::uint8_t>(from.pixels), torch::kUInt8)
                   .view({-1, 1, side, side})
                   .to(torch::kFloat32)
                   .div_(255.0)
                   .sub_(0.286)
                   .div_(0.353)),
        labels(torch::tensor(at::ArrayRef<std::uint8_t>(from.labels), torch::kUInt8).to(torch::kInt64)) {}
};

struct verdict {
  double loss, accuracy;
};

verdict judge(network& judged, tensors const& on) {
  torch::NoGradGuard const no_gradient;
  judged.eval();
  std::int64_t const all = on.labels.size(0), portion = 1000;
  double loss = 0.0, right = 0.0;
  for (std::int64_t begin = 0; begin < all; begin += portion) {
    auto const labels = on.labels.slice(0, begin, begin + portion);
    auto const odds = judged.forward(on.images.slice(0, begin, begin + portion));
    loss += torch::cross_entropy_loss(odds, labels, {}, at::Reduction::Sum).item<double>();
    right += odds.argmax(1).eq(labels).sum().item<double>();
  }
  judged.train();
  return {loss / static_cast<double>(all), right / static_cast<double>(all)};
}

network seeded_network(std::uint64_t seed) {
  torch::manual_seed(seed);
  return {};
}

}  // namespace

struct training::state {
  plan what;
  tensors training_set, validation_set, test_set;
  network trained;
  std::unique_ptr<torch::optim::Optimizer> optimizer;
  autotunenet::settings chosen;
  happenings seen;
  std::optional<autotunenet::journal> journal;
  std::optional<autotunenet::observers> watching;
  std::optional<autotunenet::torch_tuner> tuner;
  place where;
  std::optional<autotunenet::checkpoint_store> kept;
  std::size_t steps = 0;
  std::size_t resumed_at = 0;
  std::string trouble;

  state(plan p, split const& data, resume_from from)
      : what(std::move(p)),
        training_set(data.training),
        validation_set(data.validation),
        test_set(data.test),
        trained(seeded_network(what.seed)),
        optimizer(make_optimizer(what.optimizer, trained.parameters(), what.start_rate)),
        where{.shuffling = std::mt19937_64(what.seed), .at = {}} {
    if (what.tuned) tune();
    where.at.rate = rate();
    if (what.checkpoint.empty()) return;
    kept.emplace(what.checkpoint);
    if (from == resume_from::nothing) return;
    auto const found = from == resume_from::newest ? kept->read() : kept->read_previous();
    if (found) resume(*found);
  }

  // What the loop keeps itself goes with the tuner; a run that is left alone has a snapshot in its stead.
  void save() {
    if (!kept) return;
    try {
      std::vector<autotunenet::checkpoint_part> own{{"loop", autotunenet::save(*this)}};
      if (tuner) {
        tuner->save(*kept, own);
      } else {
        autotunenet::training_snapshot now;
        now.save(trained, *optimizer);
        autotunenet::archive out;
        now.fields(out, trained, *optimizer);
        own.push_back({"training", {out.bytes().begin(), out.bytes().end()}});
        kept->write(own);
      }
      trouble.clear();
    } catch (autotunenet::checkpoint_error const& why) {
      trouble = why.what();
    }
  }

  void resume(autotunenet::checkpoint const& from) {
    if (tuner) {
      tuner->resume(from);
    } else {
      autotunenet::training_snapshot then;
      autotunenet::archive in(from["training"]);
      then.fields(in, trained, *optimizer);
      then.restore(*optimizer);
    }
    try {
      autotunenet::load(*this, from["loop"]);
    } catch (autotunenet::checkpoint_error const& why) {
      throw autotunenet::checkpoint_error(std::format("checkpoint {}: {}", from.name(), why.what()));
    }
    resumed_at = steps;
  }

  void fields(autotunenet::archive& a) {
    a.section("fashion_mnist");
    std::size_t images = what.images, batch = what.batch, epochs = what.epochs;
    a(images)(batch)(epochs);
    if (images != what.images || batch != what.batch || epochs != what.epochs)
      autotunenet::archive::refuse("is of a run with other --images, --batch or --epochs");
    a(steps)(where);
    a(seen);
    if (!where.order.empty() && where.order.size() != static_cast<std::size_t>(training_set.labels.size(0)))
      autotunenet::archive::refuse("is of a run on other images");
  }

  void tune() {
    auto const images = static_cast<std::size_t>(training_set.labels.size(0));
    chosen =
        settings_for(what.settings, what.start_rate, what.epochs, (images + what.batch - 1) / what.batch, what.seed);
    auto const start = autotunenet::current_values(*optimizer, *chosen.parameters);
    auto pipeline = what.earlier.empty()
                        ? autotunenet::make_pipeline(chosen, start)
                        : autotunenet::make_pipeline(
                              chosen, start, autotunenet::earlier_run_from(autotunenet::read_journal(what.earlier)));
    if (what.journal.empty()) {
      watching.emplace(seen);
    } else {
      journal.emplace(what.journal, *chosen.parameters,
                      autotunenet::journal_options{.seed = chosen.tuning.seed,
                                                   .metadata = {{"horizon", std::to_string(chosen.tuning.horizon)}}});
      watching.emplace(seen, *journal);
    }
    autotunenet::torch_options options{.model = &trained, .objective = chosen.tuning.objective};
    // A budget is measured in time, which a resumed run has spent otherwise.
    if (!what.checkpoint.empty()) options.snapshot_budget = std::numeric_limits<double>::infinity();
    tuner.emplace(*optimizer, std::move(pipeline) | autotunenet::watch(*watching), options);
  }

  double rate() const { return optimizer->param_groups().front().options().get_lr(); }

  bool steps_are_tuned() const { return tuner && tuner->objective() == autotunenet::hook::step; }

  double step(torch::Tensor const& which) {
    // Where steps carry the objective, those of a trial are undone, and an epoch's loss should not speak of them. One
    // that is no number has been told of by then.
    bool const trial = steps_are_tuned() && tuner->in_trial();
    optimizer->zero_grad();
    auto const loss = torch::cross_entropy_loss(trained.forward(training_set.images.index_select(0, which)),
                                                training_set.labels.index_select(0, which));
    loss.backward();
    optimizer->step();
    double const value = loss.item<double>();
    if (tuner) tuner->on_step_end(value);
    ++steps;
    if (std::isfinite(value) && !trial) {
      auto const images = static_cast<std::size_t>(which.size(0));
      where.sum += value * static_cast<double>(images);
      where.measured += images;
    }
    return value;
  }
};

training::training(plan what, split const& data, resume_from where)
    : state_(std::make_unique<state>(std::move(what), data, where)) {}
training::~training() = default;

bool training::epoch(on_batch const& shown, std::stop_token stop) {
  state& run = *state_;
  place& in = run.where;
  auto const began = std::chrono::steady_clock::now();
  auto const images = static_cast<std::size_t>(run.training_set.labels.size(0));

  std::size_t const every = run.what.checkpoint_every;
  while (in.done < images && !stop.stop_requested()) {
    // Only where a step follows: a checkpoint of an epoch that has none yet draws the order anew.
    if (in.done == 0) in.begin_epoch(images);
    std::size_t const next = std::min(run.what.batch, images - in.done);
    double const loss = run.step(torch::tensor(at::ArrayRef<std::int64_t>(in.order.data() + in.done, next)));
    in.done += next;
    if (shown) shown(static_cast<double>(in.done) / static_cast<double>(images), loss, run.rate());
    if (every > 0 && run.steps % every == 0 && in.done < images) run.save();
  }

  standing& at = in.at;
  at.training_loss = in.measured > 0 ? in.sum / static_cast<double>(in.measured) : unknown;
  verdict const now = judge(run.trained, run.validation_set);
  bool const whole = in.done == images;
  if (run.tuner && whole) {
    // Steps that carry the objective have told of all that an epoch could.
    if (!run.steps_are_tuned()) run.tuner->on_epoch_end(at.training_loss);
    bool const grows = run.chosen.tuning.direction == autotunenet::goal::maximize;
    run.tuner->on_validation_end(grows ? now.accuracy : now.loss);
  }
  at.validation_loss = now.loss;
  at.validation_accuracy = now.accuracy;
  at.rate = run.rate();
  at.happenings = run.seen.take();
  at.rollbacks = run.seen.rollbacks();
  at.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (whole) {
    ++at.epochs;
    in.done = 0;
  }
  run.save();
  return whole;
}

std::size_t training::resumed_at() const noexcept { return state_->resumed_at; }
std::string const& training::trouble() const noexcept { return state_->trouble; }
standing const& training::now() const noexcept { return state_->where.at; }
double training::test_accuracy() { return judge(state_->trained, state_->test_set).accuracy; }

}  // namespace fashion
