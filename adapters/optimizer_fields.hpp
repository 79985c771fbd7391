#pragma once

#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <cstdint>
#include <deque>
#include <string>
#include <tuple>
#include <vector>

#include "tensor_archive.hpp"

namespace autotunenet {

// What LibTorch's optimizers know, field by field: of each parameter, and the options of a group.

using tensor_list = std::vector<at::Tensor*>;

/// Of LBFGS, for what is read.
inline constexpr std::int64_t longest_history = 65535;

inline tensor_list tensors(torch::optim::SGDParamState& s) { return {&s.momentum_buffer()}; }
inline tensor_list tensors(torch::optim::AdamParamState& s) {
  return {&s.exp_avg(), &s.exp_avg_sq(), &s.max_exp_avg_sq()};
}
inline tensor_list tensors(torch::optim::AdamWParamState& s) {
  return {&s.exp_avg(), &s.exp_avg_sq(), &s.max_exp_avg_sq()};
}
inline tensor_list tensors(torch::optim::RMSpropParamState& s) {
  return {&s.square_avg(), &s.momentum_buffer(), &s.grad_avg()};
}
inline tensor_list tensors(torch::optim::AdagradParamState& s) { return {&s.sum()}; }
inline tensor_list tensors(torch::optim::LBFGSParamState& s) {
  tensor_list all{&s.d(), &s.H_diag(), &s.prev_flat_grad()};
  for (auto* history : {&s.old_dirs(), &s.old_stps(), &s.ro()}) {
    for (at::Tensor& t : *history) all.push_back(&t);
  }
  if (s.al()) {
    for (at::Tensor& t : *s.al()) all.push_back(&t);
  }
  return all;
}

// What is no tensor. It comes first, since it says how many tensors there are.
template <class Archive>
void scalars(Archive&, torch::optim::SGDParamState&) {}
template <class Archive>
void scalars(Archive& a, torch::optim::AdamParamState& s) {
  a(s.step());
}
template <class Archive>
void scalars(Archive& a, torch::optim::AdamWParamState& s) {
  a(s.step());
}
template <class Archive>
void scalars(Archive& a, torch::optim::RMSpropParamState& s) {
  a(s.step());
}
template <class Archive>
void scalars(Archive& a, torch::optim::AdagradParamState& s) {
  a(s.step());
}
template <class Archive>
void scalars(Archive& a, torch::optim::LBFGSParamState& s) {
  a(s.func_evals())(s.n_iter())(s.t())(s.prev_loss());
  auto const length = [&a](auto& list) {
    std::uint64_t size = list.size();
    a.below(size, static_cast<std::size_t>(longest_history) + 1);
    list.resize(size);
  };
  for (auto* history : {&s.old_dirs(), &s.old_stps(), &s.ro()}) length(*history);
  bool with_al = s.al().has_value();
  a(with_al);
  if (!with_al)
    s.al({});
  else if (!s.al())
    s.al(std::vector<at::Tensor>());
  if (s.al()) length(*s.al());
}

template <class Archive>
void fields(Archive& a, torch::optim::SGDOptions& o) {
  a(o.lr())(o.momentum())(o.dampening())(o.weight_decay())(o.nesterov());
}
template <class Archive, class AdamLike>
void adam_fields(Archive& a, AdamLike& o) {
  a(o.lr())(std::get<0>(o.betas()))(std::get<1>(o.betas()))(o.eps())(o.weight_decay())(o.amsgrad());
}
template <class Archive>
void fields(Archive& a, torch::optim::AdamOptions& o) {
  adam_fields(a, o);
}
template <class Archive>
void fields(Archive& a, torch::optim::AdamWOptions& o) {
  adam_fields(a, o);
}
template <class Archive>
void fields(Archive& a, torch::optim::RMSpropOptions& o) {
  a(o.lr())(o.alpha())(o.eps())(o.weight_decay())(o.momentum())(o.centered());
}
template <class Archive>
void fields(Archive& a, torch::optim::AdagradOptions& o) {
  a(o.lr())(o.lr_decay())(o.weight_decay())(o.initial_accumulator_value())(o.eps());
}
template <class Archive>
void fields(Archive& a, torch::optim::LBFGSOptions& o) {
  a(o.lr())(o.max_iter())(o.tolerance_grad())(o.tolerance_change());
  a.between(o.history_size(), std::int64_t{1}, longest_history);
  auto const optional = [&a]<class Value>(std::optional<Value> held, auto const& set) {
    a(held);
    set(held);
  };
  optional(std::optional<std::int64_t>(o.max_eval()), [&](auto const& to) { o.max_eval(to); });
  optional(std::optional<std::string>(o.line_search_fn()), [&](auto const& to) { o.line_search_fn(to); });
}

}  // namespace autotunenet
