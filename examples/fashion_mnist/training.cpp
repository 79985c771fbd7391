#include "training.hpp"

#include <torch/optim/optimizer.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "network.hpp"
#include "optimizer.hpp"

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
  std::mt19937_64 shuffling;
  standing at;

  state(plan p, split const& data)
      : what(std::move(p)),
        training_set(data.training),
        validation_set(data.validation),
        test_set(data.test),
        trained(seeded_network(what.seed)),
        optimizer(make_optimizer(what.optimizer, trained.parameters(), what.start_rate)),
        shuffling(what.seed) {
    if (what.tuned) tune();
    at.rate = rate();
  }

  void tune() {
    auto const images = static_cast<std::size_t>(training_set.labels.size(0));
    chosen =
        settings_for(what.settings, what.start_rate, what.epochs, (images + what.batch - 1) / what.batch, what.seed);
    auto const start = autotunenet::current_values(*optimizer, *chosen.parameters);
    auto pipeline = autotunenet::make_pipeline(chosen, start);
    if (what.journal.empty()) {
      watching.emplace(seen);
    } else {
      journal.emplace(what.journal, *chosen.parameters, autotunenet::journal_options{.seed = chosen.tuning.seed});
      watching.emplace(seen, *journal);
    }
    tuner.emplace(*optimizer, std::move(pipeline) | autotunenet::watch(*watching),
                  autotunenet::torch_options{.model = &trained, .objective = chosen.tuning.objective});
  }

  double rate() const { return optimizer->param_groups().front().options().get_lr(); }

  double step(torch::Tensor const& which) {
    optimizer->zero_grad();
    auto const loss = torch::cross_entropy_loss(trained.forward(training_set.images.index_select(0, which)),
                                                training_set.labels.index_select(0, which));
    loss.backward();
    optimizer->step();
    double const value = loss.item<double>();
    if (tuner) tuner->on_step_end(value);
    return value;
  }
};

training::training(plan what, split const& data) : state_(std::make_unique<state>(std::move(what), data)) {}
training::~training() = default;

bool training::epoch(on_batch const& shown, std::stop_token stop) {
  state& run = *state_;
  auto const began = std::chrono::steady_clock::now();
  auto const images = static_cast<std::size_t>(run.training_set.labels.size(0));
  std::vector<std::int64_t> order(images);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::ranges::shuffle(order, run.shuffling);

  double sum = 0.0;
  std::size_t done = 0;
  while (done < images && !stop.stop_requested()) {
    std::size_t const next = std::min(run.what.batch, images - done);
    double const loss = run.step(torch::tensor(at::ArrayRef<std::int64_t>(order.data() + done, next)));
    sum += loss * static_cast<double>(next);
    done += next;
    if (shown) shown(static_cast<double>(done) / static_cast<double>(images), loss, run.rate());
  }

  standing& at = run.at;
  if (done > 0) at.training_loss = sum / static_cast<double>(done);
  verdict const now = judge(run.trained, run.validation_set);
  if (run.tuner && done == images) {
    run.tuner->on_epoch_end(at.training_loss);
    bool const grows = run.chosen.tuning.direction == autotunenet::goal::maximize;
    run.tuner->on_validation_end(grows ? now.accuracy : now.loss);
  }
  at.validation_loss = now.loss;
  at.validation_accuracy = now.accuracy;
  at.rate = run.rate();
  at.happenings = run.seen.take();
  at.rollbacks = run.seen.rollbacks();
  at.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (done < images) return false;
  ++at.epochs;
  return true;
}

standing const& training::now() const noexcept { return state_->at; }
double training::test_accuracy() { return judge(state_->trained, state_->test_set).accuracy; }

}  // namespace fashion
