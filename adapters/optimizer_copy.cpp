#include "optimizer_copy.hpp"

#include <c10/core/ScalarType.h>
#include <torch/serialize/archive.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <format>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hyperparameter.hpp"
#include "optimizer_fields.hpp"

import autotunenet;

namespace autotunenet {

using namespace torch::optim;

namespace {

using state_pointer = std::unique_ptr<OptimizerParamState>;

// LBFGS moves tensors between its members, which may share storage: writing into them could write twice.
template <class State>
constexpr bool reuses_storage = !std::is_same_v<State, LBFGSParamState>;

template <class State>
void copy_state(OptimizerParamState const& from, state_pointer& into, tensor_storage const& where) {
  if (typeid(from) != typeid(State))
    throw error("the optimizer holds a state that is not its own kind's: it cannot be copied");
  auto copy = std::make_unique<State>(static_cast<State const&>(from));  // still shares the tensors
  tensor_list const fresh = tensors(*copy);
  tensor_list former;
  if (State* const kept = reuses_storage<State> ? dynamic_cast<State*>(into.get()) : nullptr) former = tensors(*kept);
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    *fresh[i] = where.copy(*fresh[i], i < former.size() ? *former[i] : at::Tensor());
  }
  into = std::move(copy);
}

template <class State>
std::size_t state_bytes(OptimizerParamState const& of) {
  State shared = static_cast<State const&>(of);
  std::size_t sum = 0;
  for (at::Tensor const* t : tensors(shared)) sum += bytes_of(*t);
  return sum;
}

template <class State>
void exchange_state(archive& a, state_pointer& held) {
  if (!held) held = std::make_unique<State>();
  State& state = static_cast<State&>(*held);
  scalars(a, state);
  for (at::Tensor* const t : tensors(state)) exchange(a, *t);
}

/// LBFGS keeps one state for all parameters, as long as they are together, and takes its lengths for granted.
void check_lbfgs(LBFGSParamState& state, std::span<at::Tensor const> parameters, OptimizerOptions const& options) {
  std::int64_t length = 0;
  at::ScalarType type = parameters.front().scalar_type();
  for (at::Tensor const& one : parameters) {
    length += one.numel();
    type = at::promoteTypes(type, one.scalar_type());
  }
  auto const is_vector = [&](at::Tensor const& t) {
    return t.defined() && t.layout() == at::kStrided && t.dim() == 1 && t.numel() == length && t.scalar_type() == type;
  };
  auto const is_number = [](at::Tensor const& t) {
    return t.defined() && t.layout() == at::kStrided && t.numel() == 1 && !t.is_complex();
  };
  bool const begun = state.n_iter() != 0;
  auto const unless_new = [&](at::Tensor const& t, auto const& is) { return is(t) || (!begun && !t.defined()); };
  auto const history = static_cast<std::size_t>(static_cast<LBFGSOptions const&>(options).history_size());
  std::size_t const steps = state.old_dirs().size();
  bool const whole = state.n_iter() >= 0 && unless_new(state.d(), is_vector) &&
                     unless_new(state.prev_flat_grad(), is_vector) && unless_new(state.H_diag(), is_number) &&
                     steps <= history && state.old_stps().size() == steps && state.ro().size() == steps &&
                     (!state.al() || state.al()->size() == history) &&
                     std::ranges::all_of(state.old_dirs(), is_vector) &&
                     std::ranges::all_of(state.old_stps(), is_vector) && std::ranges::all_of(state.ro(), is_number);
  if (!whole) archive::refuse("holds an optimizer's history that does not fit its parameters and options");
}

/// What was read is not trusted. @throws checkpoint_error
template <class State>
void check_state(OptimizerParamState& state, at::Tensor const& parameter, std::span<at::Tensor const> parameters,
                 OptimizerOptions const& options) {
  if constexpr (std::is_same_v<State, LBFGSParamState>)
    return check_lbfgs(static_cast<LBFGSParamState&>(state), parameters, options);
  for (at::Tensor const* const t : tensors(static_cast<State&>(state))) {
    if (t->defined() && (t->sizes() != parameter.sizes() || !t->is_floating_point()))
      archive::refuse("holds an optimizer's state of another shape than its parameter");
  }
}

/// The optimizer wants its state beside the parameter.
template <class State>
void move_state(OptimizerParamState& state, at::Tensor const& parameter) {
  for (at::Tensor* const t : tensors(static_cast<State&>(state))) {
    if (t->defined()) *t = t->to(parameter.device());
  }
}

template <class Options>
void exchange_options(archive& a, OptimizerOptions& options) {
  fields(a, static_cast<Options&>(options));
}

/// With what is no number, or beyond these, a step of the optimizer may throw. @throws checkpoint_error
void check_options(OptimizerOptions const& options) {
  for (hyperparameter const& one : kind_of(options).hyperparameters) {
    double const held = one.get(options);
    if (!(std::abs(held) <= largest_hyperparameter))
      archive::refuse(std::format("holds {} as \"{}\" of an optimizer", held, one.name));
  }
}

template <class Options>
void copy_options(OptimizerOptions const& from, OptimizerOptions& into) {
  static_cast<Options&>(into) = static_cast<Options const&>(from);
}

torch::serialize::InputArchive read_archive(std::string const& bytes) {
  torch::serialize::InputArchive archive;
  archive.load_from(bytes.data(), bytes.size());
  return archive;
}

/// Empty where the optimizer saves nothing: its base class does so, and does not complain.
std::string write_archive(Optimizer const& optimizer) {
  torch::serialize::OutputArchive archive;
  optimizer.save(archive);
  std::ostringstream text;
  archive.save_to(text);
  std::string bytes = std::move(text).str();
  return read_archive(bytes).keys().empty() ? std::string() : bytes;
}

}  // namespace

struct optimizer_copy::copier {
  std::type_info const* optimizer;
  std::type_info const* options;
  void (*copy_state)(OptimizerParamState const& from, state_pointer& into, tensor_storage const& where);
  void (*copy_options)(OptimizerOptions const& from, OptimizerOptions& into);
  std::size_t (*bytes)(OptimizerParamState const& of);
  void (*exchange_state)(archive& a, state_pointer& held);
  void (*exchange_options)(archive& a, OptimizerOptions& options);
  void (*check)(OptimizerParamState& state, at::Tensor const& parameter, std::span<at::Tensor const> parameters,
                OptimizerOptions const& options);
  void (*move)(OptimizerParamState& state, at::Tensor const& parameter);
  char const* name;

  template <class Kind, class Options, class State>
  static copier of(char const* name) {
    return {&typeid(Kind),
            &typeid(Options),
            autotunenet::copy_state<State>,
            autotunenet::copy_options<Options>,
            state_bytes<State>,
            autotunenet::exchange_state<State>,
            autotunenet::exchange_options<Options>,
            check_state<State>,
            move_state<State>,
            name};
  }
};

// A class derived from one of these may know more than its base: it goes by its archive.
optimizer_copy::copier const* optimizer_copy::copier_of(Optimizer const& optimizer) {
  static std::array const known{
      copier::of<SGD, SGDOptions, SGDParamState>("SGD"),
      copier::of<Adam, AdamOptions, AdamParamState>("Adam"),
      copier::of<AdamW, AdamWOptions, AdamWParamState>("AdamW"),
      copier::of<RMSprop, RMSpropOptions, RMSpropParamState>("RMSprop"),
      copier::of<Adagrad, AdagradOptions, AdagradParamState>("Adagrad"),
      copier::of<LBFGS, LBFGSOptions, LBFGSParamState>("LBFGS"),
  };
  auto const found = std::ranges::find_if(known, [&](copier const& c) { return *c.optimizer == typeid(optimizer); });
  return found == known.end() ? nullptr : &*found;
}

char const* optimizer_copy::how_name(Optimizer const& optimizer) {
  copier const* const how = copier_of(optimizer);
  return how ? how->name : typeid(optimizer).name();
}

bool optimizer_copy::possible(Optimizer const& optimizer) {
  if (copier_of(optimizer)) return true;
  try {
    return !write_archive(optimizer).empty();
  } catch (std::exception const&) {
    return false;
  }
}

void optimizer_copy::save(Optimizer const& optimizer, tensor_storage const& where) {
  how_ = copier_of(optimizer);
  options_.clear();
  parameters_.clear();
  for (OptimizerParamGroup const& group : optimizer.param_groups()) {
    options_.push_back(group.options().clone());
    for (at::Tensor const& parameter : group.params()) parameters_.push_back(parameter.unsafeGetTensorImpl());
  }
  std::ranges::sort(parameters_);
  if (!how_) {
    archive_ = write_archive(optimizer);
    if (archive_.empty())
      throw invalid_option("this optimizer cannot be copied: it is not LibTorch's and does not implement `save`");
    return;
  }
  std::erase_if(states_, [&](auto const& entry) { return optimizer.state().count(entry.first) == 0; });
  for (auto const& [parameter, state] : optimizer.state()) how_->copy_state(*state, states_[parameter], where);
}

void optimizer_copy::check(Optimizer const& optimizer) const {
  if (copier_of(optimizer) != how_)
    throw error("the optimizer is of another kind than the one that was saved: it cannot be restored");
}

void optimizer_copy::restore(Optimizer& optimizer) const {
  auto& state = optimizer.state();
  for (void* const parameter : parameters_) {
    if (!states_.contains(parameter)) state.erase(parameter);  // it had none yet
  }
  if (how_) {
    tensor_storage const memory;
    for (auto const& [parameter, saved] : states_) how_->copy_state(*saved, state[parameter], memory);
    for (auto const& group : optimizer.param_groups()) {
      for (at::Tensor const& parameter : group.params()) {
        // The parameter may have moved to another device since.
        void* const key = parameter.unsafeGetTensorImpl();
        if (states_.contains(key)) how_->move(*state[key], parameter);
      }
    }
  } else {
    auto archive = read_archive(archive_);
    optimizer.load(archive);
  }
  auto& groups = optimizer.param_groups();
  for (std::size_t g = 0; g < std::min(groups.size(), options_.size()); ++g) {
    OptimizerOptions& options = groups[g].options();
    if (how_ && typeid(options) == *how_->options) {
      how_->copy_options(*options_[g], options);  // in place: the user may hold a reference
    } else {
      groups[g].set_options(options_[g]->clone());
    }
  }
}

template <class Archive>
void optimizer_copy::fields(Archive& a, Optimizer const& optimizer) {
  a.section(how_name(optimizer));
  if (a.reading()) {
    how_ = copier_of(optimizer);
    options_.clear();
    parameters_.clear();
    states_.clear();
  }
  std::vector<at::Tensor> all;
  for (OptimizerParamGroup const& group : optimizer.param_groups()) {
    all.insert(all.end(), group.params().begin(), group.params().end());
    if (a.reading()) options_.push_back(group.options().clone());
  }
  std::size_t const groups_here = optimizer.param_groups().size();
  std::uint64_t groups = groups_here, members = all.size(), saved_groups = options_.size();
  a(groups)(members);
  if (a.reading() && (groups != groups_here || members != all.size())) {
    archive::refuse(std::format("has an optimizer with {} parameters in {} groups; here it has {} in {}", members,
                                groups, all.size(), groups_here));
  }
  a.below(saved_groups, groups_here + 1);
  options_.resize(saved_groups);
  if (how_) {
    for (auto& one : options_) {
      how_->exchange_options(a, *one);
      if (a.reading()) check_options(*one);
    }
  }
  for (at::Tensor const& parameter : all) {
    void* const identity = parameter.unsafeGetTensorImpl();
    bool known = std::ranges::binary_search(parameters_, identity);
    bool with_state = states_.contains(identity);
    a(known)(with_state);
    if (!a.reading()) {
      if (with_state) how_->exchange_state(a, states_.at(identity));
      continue;
    }
    if (known) parameters_.push_back(identity);
    if (!with_state) continue;
    if (!how_) archive::refuse("holds the state of an optimizer of another kind");
    state_pointer& held = states_[identity];
    how_->exchange_state(a, held);
    how_->check(*held, parameter, all, options_.empty() ? optimizer.param_groups()[0].options() : *options_[0]);
    how_->move(*held, parameter);
  }
  if (a.reading()) std::ranges::sort(parameters_);
  a(archive_);
}
template void optimizer_copy::fields<archive>(archive&, Optimizer const&);

bool optimizer_copy::had_momentum(at::Tensor const& parameter) const {
  auto const state = states_.find(parameter.unsafeGetTensorImpl());
  return state != states_.end() && !dynamic_cast<AdagradParamState const*>(state->second.get());
}

std::size_t optimizer_copy::bytes() const {
  std::size_t sum = archive_.size();
  for (auto const& [parameter, state] : states_) sum += how_->bytes(*state);
  return sum;
}

}  // namespace autotunenet
