module;
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Generator.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/isnan.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <format>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "optimizer_copy.hpp"
#include "tensor_archive.hpp"
#include "tensor_storage.hpp"

module autotunenet.torch;

namespace autotunenet {

using torch::nn::Module;
using torch::optim::Optimizer;

struct training_snapshot::state {
  tensor_storage where;
  struct entry {
    at::Tensor live;  // holding it keeps its address from being used for another
    at::Tensor copy;
  };
  std::vector<entry> tensors{};
  optimizer_copy optimizer{};
  at::Tensor random_engine{};
  bool complete = false;

  void forget() { *this = {.where = where}; }
};

namespace {

std::vector<at::Tensor> everything(Module const& model, Optimizer const& optimizer) {
  std::vector<at::Tensor> all;
  std::unordered_set<void*> seen;
  auto const add = [&](std::vector<at::Tensor> const& some) {
    for (at::Tensor const& t : some) {
      if (t.defined() && seen.insert(t.unsafeGetTensorImpl()).second) all.push_back(t);
    }
  };
  add(model.parameters());
  add(model.buffers());
  for (auto const& group : optimizer.param_groups()) add(group.params());
  return all;
}

at::Tensor random_engine_state() {
  at::Generator engine = at::detail::getDefaultCPUGenerator();
  std::scoped_lock const lock(engine.mutex());
  return engine.get_state();
}
void set_random_engine_state(at::Tensor const& state) {
  at::Generator engine = at::detail::getDefaultCPUGenerator();
  std::scoped_lock const lock(engine.mutex());
  engine.set_state(state);
}

/// Throws `checkpoint_error` for what is no state of the default random engine.
void check_random_engine(at::Tensor const& state) {
  at::Generator trial = at::detail::createCPUGenerator();
  try {
    trial.set_state(state);
  } catch (std::exception const&) {
    archive::refuse("holds what is no state of a random engine");
  }
}

// What nothing trains may well be infinite, as a mask is.
bool is_finite(at::Tensor const& values, bool trained) {
  return trained ? at::isfinite(values).all().item<bool>() : !at::isnan(values).any().item<bool>();
}

std::string shape(at::Tensor const& t) {
  std::ostringstream text;
  text << t.sizes();
  return std::move(text).str();
}

}  // namespace

training_snapshot::training_snapshot(bool random_engine, std::filesystem::path const& folder)
    : state_(std::make_unique<state>(tensor_storage(folder))), random_engine_(random_engine) {}
training_snapshot::training_snapshot(training_snapshot&&) noexcept = default;
training_snapshot& training_snapshot::operator=(training_snapshot&&) noexcept = default;
training_snapshot::~training_snapshot() = default;

bool training_snapshot::possible(Optimizer const& optimizer) { return optimizer_copy::possible(optimizer); }

bool training_snapshot::finite(torch::nn::Module const& model) {
  at::NoGradGuard const no_grad;
  auto const holds = [](at::Tensor const& values) { return is_finite(values, values.requires_grad()); };
  return std::ranges::all_of(model.parameters(), holds) && std::ranges::all_of(model.buffers(), holds);
}

bool training_snapshot::finite() const {
  at::NoGradGuard const no_grad;
  return !empty() && std::ranges::all_of(state_->tensors, [](state::entry const& one) {
    return is_finite(one.copy, one.live.requires_grad());
  });
}

void training_snapshot::save(Module const& model, Optimizer const& optimizer) {
  at::NoGradGuard const no_grad;
  state_->complete = false;
  std::vector<at::Tensor> const live = everything(model, optimizer);
  std::unordered_map<void*, at::Tensor> storage;
  for (auto const& [tensor, copy] : state_->tensors) storage.emplace(tensor.unsafeGetTensorImpl(), copy);
  std::vector<state::entry> tensors;
  tensors.reserve(live.size());
  for (at::Tensor const& t : live) {
    auto const former = storage.find(t.unsafeGetTensorImpl());
    tensors.push_back({t, state_->where.copy(t, former == storage.end() ? at::Tensor() : former->second)});
  }
  state_->tensors = std::move(tensors);
  state_->optimizer.save(optimizer, state_->where);
  if (random_engine_) state_->random_engine = random_engine_state();
  state_->complete = true;
}

void training_snapshot::restore(Optimizer& optimizer, bool and_random_engine) const {
  if (empty()) throw error("a training snapshot that was never saved cannot be restored");
  for (auto const& [live, copy] : state_->tensors) {
    if (live.sizes() != copy.sizes()) {
      throw error(std::format("a tensor of shape {} had the shape {} when it was saved: it cannot be restored",
                              shape(live), shape(copy)));
    }
  }
  state_->optimizer.check(optimizer);
  at::NoGradGuard const no_grad;
  for (auto const& [live, copy] : state_->tensors) {
    live.copy_(copy);
    if (live.grad().defined()) live.mutable_grad().reset();
  }
  state_->optimizer.restore(optimizer);
  if (random_engine_ && and_random_engine) set_random_engine_state(state_->random_engine);
}

void training_snapshot::fields(archive& a, Module const& model, Optimizer const& optimizer) {
  a.section("training snapshot");
  std::vector<at::Tensor> const live = everything(model, optimizer);
  if (a.reading()) state_->forget();
  if (!a.reading()) a.reserve(room_in_archive(bytes()));
  std::unordered_map<void*, at::Tensor> copies;
  for (auto const& [tensor, copy] : state_->tensors) copies.emplace(tensor.unsafeGetTensorImpl(), copy);
  std::uint64_t count = live.size();
  a(count);
  if (count != live.size())
    archive::refuse(std::format("has {} parameters and buffers; model and optimizer have {}", count, live.size()));
  for (std::size_t i = 0; i < live.size(); ++i) {
    auto const held = copies.find(live[i].unsafeGetTensorImpl());
    at::Tensor copy = held == copies.end() ? at::Tensor() : held->second;
    exchange(a, copy);
    if (!a.reading() || !copy.defined()) continue;
    if (copy.sizes() != live[i].sizes() || copy.scalar_type() != live[i].scalar_type())
      archive::refuse(std::format("has tensor {} of shape {}; here its shape is {}, or its type another", i,
                                  shape(copy), shape(live[i])));
    state_->tensors.push_back({live[i], state_->where.copy(copy.to(live[i].device()))});
  }
  state_->optimizer.fields(a, optimizer);
  bool with_engine = state_->random_engine.defined();
  a(with_engine);
  if (with_engine) exchange(a, state_->random_engine);
  if (!a.reading()) return;
  if (with_engine != random_engine_) archive::refuse("was made with another choice of `random_engine`");
  if (with_engine) check_random_engine(state_->random_engine);
  state_->complete = true;
}

bool training_snapshot::empty() const noexcept { return !state_ || !state_->complete; }
void training_snapshot::clear() noexcept {
  if (state_) state_->forget();
}

std::size_t training_snapshot::bytes() const {
  if (empty()) return 0;
  std::size_t sum = state_->optimizer.bytes();
  for (auto const& [live, copy] : state_->tensors) sum += copy.nbytes();
  return sum;
}

}  // namespace autotunenet
