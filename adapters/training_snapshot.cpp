module;
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Generator.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/isnan.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <format>
#include <memory>
#include <mutex>
#include <span>
#include <sstream>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "optimizer_copy.hpp"
#include "step_directions.hpp"
#include "tensor_archive.hpp"
#include "tensor_storage.hpp"

module autotunenet.torch;

namespace autotunenet {

using torch::nn::Module;
using torch::optim::Optimizer;

struct training_snapshot::state {
  tensor_storage where;
  struct entry {
    std::string name;
    at::Tensor live;  // holding it keeps its address from being used for another
    at::Tensor copy;
  };
  std::vector<entry> tensors{};
  std::vector<optimizer_copy> optimizers{};  // the tuned one first
  at::Tensor random_engine{};
  bool complete = false;

  void forget() { *this = {.where = where}; }
};

namespace {

struct named_tensor {
  std::string name;
  at::Tensor tensor;
  bool buffer = false;
};

template <class One>
std::vector<One*> together(One& optimizer, further_optimizers also) {
  std::vector<One*> all{&optimizer};
  all.insert(all.end(), also.begin(), also.end());
  return all;
}

std::vector<named_tensor> everything(Module const& model, std::span<Optimizer const* const> optimizers) {
  std::vector<named_tensor> all;
  std::unordered_set<void*> seen;
  auto const add = [&](std::string name, at::Tensor const& t, bool buffer) {
    if (t.defined() && seen.insert(t.unsafeGetTensorImpl()).second) all.push_back({std::move(name), t, buffer});
  };
  for (auto const& parameter : model.named_parameters()) add(parameter.key(), parameter.value(), false);
  for (auto const& buffer : model.named_buffers()) add(buffer.key(), buffer.value(), true);
  for (std::size_t o = 0; o < optimizers.size(); ++o) {
    auto const& groups = optimizers[o]->param_groups();
    for (std::size_t g = 0; g < groups.size(); ++g) {
      for (std::size_t i = 0; i < groups[g].params().size(); ++i) {
        std::string name = std::format("group{}.{}", g, i);
        if (o > 0) name = std::format("optimizer{}.{}", o, name);
        add(std::move(name), groups[g].params()[i], false);
      }
    }
  }
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

/// @param room of the copy's shape, where the tensor's is another
void put_back(at::Tensor const& copy, at::Tensor const& room, at::Tensor const& live) {
  c10::InferenceMode const as_it_is(live.is_inference());
  at::NoGradGuard const no_grad;
  if (room.defined()) live.set_data(room);
  live.copy_(copy);
}

/// A memory bank grows, and may have had fewer rows.
bool same_make(named_tensor const& here, at::Tensor const& copy) {
  at::Tensor const& live = here.tensor;
  bool const fits = here.buffer ? copy.dim() == live.dim() : copy.sizes() == live.sizes();
  return fits && copy.scalar_type() == live.scalar_type();
}

}  // namespace

training_snapshot::training_snapshot(bool random_engine, std::filesystem::path const& folder)
    : state_(std::make_unique<state>(tensor_storage(folder))), random_engine_(random_engine) {}
training_snapshot::training_snapshot(training_snapshot&&) noexcept = default;
training_snapshot& training_snapshot::operator=(training_snapshot&&) noexcept = default;
training_snapshot::~training_snapshot() = default;

bool training_snapshot::possible(Optimizer const& optimizer) { return optimizer_copy::possible(optimizer); }

bool training_snapshot::share_parameters(Module const& model, Optimizer const& optimizer) {
  std::unordered_set<void*> of_model;
  for (at::Tensor const& parameter : model.parameters()) of_model.insert(parameter.unsafeGetTensorImpl());
  return std::ranges::any_of(optimizer.param_groups(), [&](auto const& group) {
    return std::ranges::any_of(group.params(),
                               [&](at::Tensor const& one) { return of_model.contains(one.unsafeGetTensorImpl()); });
  });
}

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

void training_snapshot::save(Module const& model, Optimizer const& optimizer, further_optimizers also) {
  c10::InferenceMode const outlives_it(false);
  at::NoGradGuard const no_grad;
  state_->complete = false;
  std::vector<Optimizer const*> const optimizers = together(optimizer, also);
  std::vector<named_tensor> live = everything(model, optimizers);
  std::unordered_map<void*, at::Tensor> storage;
  for (auto const& [name, tensor, copy] : state_->tensors) storage.emplace(tensor.unsafeGetTensorImpl(), copy);
  std::vector<state::entry> tensors;
  tensors.reserve(live.size());
  for (auto& [name, t, buffer] : live) {
    auto const former = storage.find(t.unsafeGetTensorImpl());
    tensors.push_back(
        {std::move(name), t, state_->where.copy(t, former == storage.end() ? at::Tensor() : former->second)});
  }
  state_->tensors = std::move(tensors);
  state_->optimizers.resize(optimizers.size());
  for (std::size_t i = 0; i < optimizers.size(); ++i) state_->optimizers[i].save(*optimizers[i], state_->where);
  if (random_engine_) state_->random_engine = random_engine_state();
  state_->complete = true;
}

void training_snapshot::restore(Optimizer& optimizer, bool and_random_engine, further_optimizers also) const {
  if (empty()) throw error("a training snapshot that was never saved cannot be restored");
  std::vector<Optimizer*> const optimizers = together(optimizer, also);
  if (optimizers.size() != state_->optimizers.size()) {
    throw error(std::format("a training snapshot of {} optimizers cannot be restored to {}", state_->optimizers.size(),
                            optimizers.size()));
  }
  for (std::size_t i = 0; i < optimizers.size(); ++i) state_->optimizers[i].check(*optimizers[i]);
  c10::InferenceMode const outlives_it(false);
  at::NoGradGuard const no_grad;
  std::vector<at::Tensor> room;
  for (auto const& [name, live, copy] : state_->tensors) {
    bool const fits = live.sizes() == copy.sizes();
    room.push_back(fits ? at::Tensor() : at::empty(copy.sizes(), live.options().requires_grad(false)));
  }
  for (std::size_t i = 0; i < room.size(); ++i) {
    auto const& [name, live, copy] = state_->tensors[i];
    try {
      put_back(copy, room[i], live);
    } catch (c10::Error const& why) {
      throw error(std::format("\"{}\", a tensor of shape {}, cannot be put back to what it was, of shape {}: {}", name,
                              shape(live), shape(copy), why.what_without_backtrace()));
    }
    if (live.grad().defined()) live.mutable_grad().reset();
  }
  for (std::size_t i = 0; i < optimizers.size(); ++i) state_->optimizers[i].restore(*optimizers[i]);
  if (random_engine_ && and_random_engine) set_random_engine_state(state_->random_engine);
}

bool training_snapshot::replaced(Optimizer const& optimizer) const {
  if (empty() || !steps_along_gradients(optimizer)) return false;
  at::NoGradGuard const no_grad;
  std::unordered_map<void*, at::Tensor> copies;
  for (auto const& [name, tensor, copy] : state_->tensors) copies.emplace(tensor.unsafeGetTensorImpl(), copy);
  step_directions seen;
  for (auto const& group : optimizer.param_groups()) {
    for (at::Tensor const& parameter : group.params()) {
      auto const saved = copies.find(parameter.unsafeGetTensorImpl());
      if (saved == copies.end() || state_->optimizers.front().had_momentum(parameter)) continue;
      seen.add(saved->second, parameter, group.options());
    }
  }
  return seen.of_no_step();
}

void training_snapshot::fields(archive& a, Module const& model, Optimizer const& optimizer, further_optimizers also) {
  c10::InferenceMode const outlives_it(false);
  at::NoGradGuard const no_grad;
  a.section("training snapshot");
  std::vector<Optimizer const*> const optimizers = together(optimizer, also);
  std::uint64_t of_optimizers = optimizers.size();
  a(of_optimizers);
  if (of_optimizers != optimizers.size())
    archive::refuse(
        std::format("is of {} optimizers trained together; here there are {}", of_optimizers, optimizers.size()));
  std::vector<named_tensor> const live = everything(model, optimizers);
  if (a.reading()) state_->forget();
  if (!a.reading()) a.reserve(room_in_archive(bytes()));
  std::unordered_map<void*, at::Tensor> copies;
  for (auto const& [name, tensor, copy] : state_->tensors) copies.emplace(tensor.unsafeGetTensorImpl(), copy);
  std::uint64_t count = live.size();
  a(count);
  if (count != live.size())
    archive::refuse(std::format("has {} parameters and buffers; model and optimizer have {}", count, live.size()));
  for (named_tensor const& here : live) {
    auto const held = copies.find(here.tensor.unsafeGetTensorImpl());
    at::Tensor copy = held == copies.end() ? at::Tensor() : held->second;
    exchange(a, copy);
    if (!a.reading() || !copy.defined()) continue;
    if (!same_make(here, copy)) {
      archive::refuse(std::format("has \"{}\" of shape {}; here its shape is {}, or its type another", here.name,
                                  shape(copy), shape(here.tensor)));
    }
    state_->tensors.push_back({here.name, here.tensor, state_->where.copy(copy.to(here.tensor.device()))});
  }
  state_->optimizers.resize(optimizers.size());
  for (std::size_t i = 0; i < optimizers.size(); ++i) state_->optimizers[i].fields(a, *optimizers[i]);
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
  std::size_t sum = 0;
  for (optimizer_copy const& one : state_->optimizers) sum += one.bytes();
  for (auto const& [name, live, copy] : state_->tensors) sum += bytes_of(copy);
  return sum;
}

}  // namespace autotunenet
