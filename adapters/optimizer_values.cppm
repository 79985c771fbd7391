module;
#include "torch_fwd.hpp"

export module autotunenet.torch:optimizer_values;

import autotunenet.standard;
import autotunenet;

export namespace autotunenet {

/// Binds a parameter of the search space to anything that is not a hyperparameter of the optimizer: dropout, a clip
/// norm, a batch size. `set` is given what the user means: a number, the value of a numeric category, the index of a
/// word. A `set` that throws must leave things as they were.
struct setter {
  std::string name;
  std::function<void(double)> set = {};
  /// Where given, tells the value that is in effect, so that a change by hand is seen.
  std::function<double()> get = {};
};

/// The parameters of a search space bound by name to the settings of an optimizer's parameter groups.
///
///     SGD       lr, momentum, dampening, weight_decay
///     Adam(W)   lr, beta1, beta2, eps, weight_decay
///     RMSprop   lr, alpha, eps, weight_decay, momentum
///     Adagrad   lr, lr_decay, weight_decay, eps
///     LBFGS     lr, tolerance_grad, tolerance_change
///     any other lr
///
/// `group1.lr` is the setting of one group. A plain name means all groups: `lr` and `weight_decay` keep the ratios the
/// groups had when they were bound, so a group at 0 stays at 0 (where all are at 0, all get the value); the value is
/// that of the first group that was not at 0. A group added later, or raised from the 0 that it began with, joins with
/// the ratio that it has to the value in force then. No ratio takes a group out of the parameter's bounds: at a bound
/// it stands still while the others go on, unless it came with a value beyond. Any other plain name needs groups that
/// agree.
///
/// A group whose `lr` or `weight_decay` is set to 0 by hand is left at 0 until it is found above 0: then it goes on
/// with the ratio that it had. The name's value is that of the others meanwhile; where all are at 0, the last one
/// holds. Anything else that is set by hand is given up for the next values that are applied.
///
/// A momentum that rises from 0 begins without velocity. (RMSprop would otherwise throw at its next step, SGD would go
/// on with the velocity it had when momentum fell to 0.)
///
/// Refers to the optimizer and to whatever the setters refer to: both must outlive it.
class optimizer_values {
 public:
  /// Throws `invalid_option`: a name that neither the optimizer nor a setter has, a setter whose name the space lacks,
  /// a plain name beside one of its groups, bounds or choices that the optimizer cannot take, groups that disagree. A
  /// setter goes before a hyperparameter of the same name.
  optimizer_values(torch::optim::Optimizer& optimizer, search_space space, std::vector<setter> setters = {});
  optimizer_values(optimizer_values&&) noexcept;
  optimizer_values& operator=(optimizer_values&&) noexcept;
  ~optimizer_values();

  /// Brings the values into effect, all or none; gives whether anything changed. Values in effect are left alone, which
  /// costs no more than the comparison. Every value is checked, and memory for a velocity taken, before the first is
  /// applied; then the setters are called in the space's order; what the optimizer holds is written last, when nothing
  /// can fail any more. Where a setter throws, those called before it are given their former values (as far as known:
  /// one without `get` has none before its first call), and the exception passes on. Throws `invalid_option`: a value
  /// that is not finite or not allowed, a configuration of another space; `c10::Error` where there is no memory for a
  /// velocity.
  bool apply(configuration const& values);
  /// The same from native values in the space's order; those may lie outside the space's bounds.
  bool apply(std::span<double const> values);

  /// The native values in effect, in the space's order, whoever set them: they may lie outside the space. Of several
  /// groups it is the first one's, which the others follow in their ratios, or do not: see `overridden`. A setter
  /// without `get` gives what was applied last, before that the middle of its range. A number that is no category gives
  /// the nearest one. Holds until the next call.
  std::span<double const> read();
  /// Whether, at the last `read`, another group ran at something else than its ratio to that value, by more than 1 %.
  bool overridden() const noexcept;

  /// For checkpoints: the ratios of groups, which were set to 0 by hand, and what each group held at the last `read`.
  /// After a reading `put_back` must follow. A reading throws `checkpoint_error` for an optimizer with another number
  /// of groups.
  void fields(archive& a);
  /// Brings back what `fields` has read, each group's own value whoever had set it, and gives the setters theirs of
  /// `values`, which are native and in the space's order. Checks, calls and throws as `apply` does.
  void put_back(std::span<double const> values);

  /// Says that what the setters set may have changed behind them: those without `get` are called at the next `apply`,
  /// whatever they were given last.
  void doubt_setters() noexcept;

  search_space const& space() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// What an optimizer (and setters that have `get`) hold now, as a configuration of a space: the start of a pipeline.
/// What lies outside the bounds is moved to the nearer one without a word, and so the first suggestion moves it there:
/// give bounds that contain the start. A parameter that the optimizer does not have is at the middle of its range.
configuration current_values(torch::optim::Optimizer const& optimizer, search_space const& space,
                             std::vector<setter> const& setters = {});

}  // namespace autotunenet
