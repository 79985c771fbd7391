#include "hyperparameter.hpp"

#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <torch/optim/adagrad.h>
#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/lbfgs.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <array>
#include <limits>
#include <span>
#include <string_view>
#include <tuple>

namespace autotunenet {

namespace {

using namespace torch::optim;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr allowed_range not_negative{.text = "finite and at least 0", .min = 0.0, .max = infinity};
constexpr allowed_range fraction{.text = "at least 0 and below 1", .min = 0.0, .max = 1.0, .max_itself = false};
constexpr allowed_range up_to_one{.text = "between 0 and 1", .min = 0.0, .max = 1.0};
constexpr allowed_range nesterov_momentum{
    .text = "finite and above 0 with nesterov", .min = 0.0, .max = infinity, .min_itself = false};
constexpr allowed_range nesterov_dampening{.text = "0 with nesterov", .min = 0.0, .max = 0.0};

// LibTorch declares each setting as a pair of accessors, of which the mutable one gives a reference: that one serves
// both ways.
template <class Options, double& (*Setting)(Options&)>
constexpr hyperparameter setting(std::string_view name, allowed_range (*allowed)(OptimizerOptions const&)) {
  return {
      .name = name,
      .get = [](OptimizerOptions const& o) { return Setting(const_cast<Options&>(static_cast<Options const&>(o))); },
      .set = [](OptimizerOptions& o, double value) { Setting(static_cast<Options&>(o)) = value; },
      .allowed = allowed};
}
template <allowed_range const& Range>
allowed_range always(OptimizerOptions const&) {
  return Range;
}

constexpr hyperparameter lr{.name = "lr",
                            .get = [](OptimizerOptions const& o) { return o.get_lr(); },
                            .set = [](OptimizerOptions& o, double value) { o.set_lr(value); },
                            .allowed = always<not_negative>,
                            .proportional = true};

// Read through the mutable accessor, each by its name.
template <class O>
double& weight_decay_of(O& o) {
  return o.weight_decay();
}
template <class O>
double& eps_of(O& o) {
  return o.eps();
}
template <class O>
double& momentum_of(O& o) {
  return o.momentum();
}
template <class O>
double& beta1_of(O& o) {
  return std::get<0>(o.betas());
}
template <class O>
double& beta2_of(O& o) {
  return std::get<1>(o.betas());
}
double& dampening_of(SGDOptions& o) { return o.dampening(); }
double& alpha_of(RMSpropOptions& o) { return o.alpha(); }
double& lr_decay_of(AdagradOptions& o) { return o.lr_decay(); }
double& tolerance_grad_of(LBFGSOptions& o) { return o.tolerance_grad(); }
double& tolerance_change_of(LBFGSOptions& o) { return o.tolerance_change(); }

template <class O>
constexpr hyperparameter weight_decay() {
  hyperparameter made = setting<O, weight_decay_of<O>>("weight_decay", always<not_negative>);
  made.proportional = true;
  return made;
}
template <class O>
constexpr hyperparameter momentum(allowed_range (*allowed)(OptimizerOptions const&)) {
  hyperparameter made = setting<O, momentum_of<O>>("momentum", allowed);
  made.has_velocity = true;
  return made;
}
template <class O>
constexpr hyperparameter eps = setting<O, eps_of<O>>("eps", always<not_negative>);

bool nesterov(OptimizerOptions const& o) { return static_cast<SGDOptions const&>(o).nesterov(); }
allowed_range sgd_momentum(OptimizerOptions const& o) { return nesterov(o) ? nesterov_momentum : not_negative; }
allowed_range sgd_dampening(OptimizerOptions const& o) { return nesterov(o) ? nesterov_dampening : up_to_one; }

constexpr std::array sgd{lr, momentum<SGDOptions>(sgd_momentum),
                         setting<SGDOptions, dampening_of>("dampening", sgd_dampening), weight_decay<SGDOptions>()};
template <class O>
constexpr std::array adam{lr, setting<O, beta1_of<O>>("beta1", always<fraction>),
                          setting<O, beta2_of<O>>("beta2", always<fraction>), eps<O>, weight_decay<O>()};
constexpr std::array rmsprop{lr, setting<RMSpropOptions, alpha_of>("alpha", always<fraction>), eps<RMSpropOptions>,
                             weight_decay<RMSpropOptions>(), momentum<RMSpropOptions>(always<not_negative>)};
constexpr std::array adagrad{lr, setting<AdagradOptions, lr_decay_of>("lr_decay", always<not_negative>),
                             weight_decay<AdagradOptions>(), eps<AdagradOptions>};
constexpr std::array lbfgs{lr, setting<LBFGSOptions, tolerance_grad_of>("tolerance_grad", always<not_negative>),
                           setting<LBFGSOptions, tolerance_change_of>("tolerance_change", always<not_negative>)};
constexpr std::array any_other{lr};

template <class Options>
bool is(OptimizerOptions const& options) {
  return dynamic_cast<Options const*>(&options) != nullptr;
}

}  // namespace

optimizer_kind const& kind_of(OptimizerOptions const& options) {
  struct entry {
    bool (*matches)(OptimizerOptions const&);
    optimizer_kind kind;
  };
  static constexpr std::array known{
      entry{is<SGDOptions>, {"SGD", sgd}},
      entry{is<AdamOptions>, {"Adam", adam<AdamOptions>}},
      entry{is<AdamWOptions>, {"AdamW", adam<AdamWOptions>}},
      entry{is<RMSpropOptions>, {"RMSprop", rmsprop}},
      entry{is<AdagradOptions>, {"Adagrad", adagrad}},
      entry{is<LBFGSOptions>, {"LBFGS", lbfgs}},
  };
  static constexpr optimizer_kind unknown{"an optimizer of this type", any_other};
  for (entry const& e : known) {
    if (e.matches(options)) return e.kind;
  }
  return unknown;
}

void begin_velocity(Optimizer& optimizer, OptimizerParamGroup const& group) {
  c10::InferenceMode const outlives_it(false);
  for (at::Tensor const& parameter : group.params()) {
    auto const found = optimizer.state().find(parameter.unsafeGetTensorImpl());
    if (found == optimizer.state().end()) continue;
    if (auto* state = dynamic_cast<RMSpropParamState*>(found->second.get())) {
      state->momentum_buffer(at::zeros_like(parameter));
    } else if (dynamic_cast<SGDParamState*>(found->second.get())) {
      optimizer.state().erase(found);
    }
  }
}

}  // namespace autotunenet
