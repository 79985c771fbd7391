module;
#include "torch_fwd.hpp"

export module autotunenet.torch:torch_tuner;

import autotunenet.standard;
import autotunenet;
import :optimizer_values;
import :training_slots;

export namespace autotunenet {

/// Tells what keeps state of its own beside the model (a data loader, a schedule) how far training went back.
struct restoration {
  training_state what = training_state::keep;  ///< the `return_to_...` that was carried out
  /// Calls of `on_step_end` that led to the state that is back, those that were undone before left out.
  std::uint64_t marked_at = 0;
  /// How many more had led to the state that is given up; below 0 where what is back was saved before a return and had
  /// come further.
  std::int64_t steps_undone = 0;
};

struct torch_options {
  /// With it, training state can be saved and put back: range test and full rollback. Without it, only values go back.
  /// At least one of its parameters must be the optimizer's.
  torch::nn::Module* model = nullptr;
  /// For parameters that are not the optimizer's.
  std::vector<setter> setters = {};
  /// Further optimizers that train beside the tuned one, as that of a critic: with a model, their parameters, state and
  /// options are saved and put back with it, in trials, returns and checkpoints. A hyperparameter of theirs is tuned
  /// through a setter, best with `get`, so that a value set by hand is known. They must outlive the tuner.
  std::vector<torch::optim::Optimizer*> also = {};
  /// `hook::first`: whichever is called first with a metric. Validations before any call of `on_step_end` are passed
  /// over, as those that check a loop are: the first one, and those since which the optimizer's parameters have not
  /// moved. Where another hook turns out to be called ten times as often, `event::rare_objective` tells. `tune` takes
  /// it from the settings too; beside a pipeline that was made by hand (`make_pipeline`), what `[tuning] objective`
  /// names must be named here as well.
  hook objective = hook::first;
  /// Sees the pipeline at work, as by the stage `watch` at its end: a journal, a log. Must outlive the tuner.
  observer* watched_by = nullptr;
  /// Called when training state was put back, before the suggestion's values are applied. As for a setter, what it
  /// throws passes out of the hook.
  std::function<void(restoration const&)> on_restore = {};
  /// The default CPU random engine is part of the training state: what a trial or a resume puts back draws the same
  /// batches again. After a failure it goes on instead, so that training does not meet what it failed at once more.
  bool random_engine = slot_options{}.random_engine;
  /// The fraction of training time that saving states for a rollback may cost; at least 0. Infinity: each one is saved;
  /// 0: none after the first.
  double snapshot_budget = slot_options{}.budget;
  /// Where those states are kept, for models that do not fit in memory twice (see `training_snapshot`); empty: in
  /// memory. A state that the folder has no room for is left out, and training goes on.
  std::filesystem::path snapshot_folder{};
  /// How many such states are kept, 2 to 64: the newest, which has yet to prove itself, and the good ones before it.
  /// With more than 2, trouble that comes back right after a return goes further back.
  std::size_t snapshots = slot_options{}.snapshots;
};

/// Lets a pipeline tune an optimizer while it trains.
///
///     torch_tuner tuner(optimizer, bayesian(space, {.start = start}) | guard(), {.model = model.get()});
///     for (...) {
///       optimizer.zero_grad();
///       auto loss = ...;
///       loss.backward();
///       optimizer.step();
///       tuner.on_step_end(loss);
///     }
///
/// One hook carries the objective. Each call of it tells the pipeline one observation, with the values that were really
/// in the optimizer (whoever set them), carries out `suggestion::state`, and applies the next suggestion. The metric
/// thus goes to the suggestion that was in force. What a loss has seen: handed over after `step()`, as above, it was
/// computed before that step's update, so the credit is one step late, which the stage `every(n)` accounts for by
/// leaving the first out; handed over before `step()`, it has seen exactly the updates it is credited to.
///
/// Where `on_validation_end` is not the objective it is a second opinion, told with the next observation of the
/// objective: the learning rate is lowered where it shows overfitting, and with a model training goes back to where
/// validation was best if that is not enough. It must go in the objective's direction, both down or both up. Any
/// other hook only reports trouble.
///
/// A metric that is NaN or infinite is a failure of the pending suggestion, told at once, whichever hook it comes from,
/// where no model is given or its weights are not finite. While they are, it is one that was not measured
/// (`event::not_measured`), for one bad batch is not worth what a rollback undoes: passed over where the hook is not
/// the objective's, told as `outcome::skipped` where it is. Five in a row of steps are a failure, and three of epochs
/// or validations, and so it is where as many come as are numbers; in a trial the third of steps, the second of
/// epochs. Weights that still are not finite after the pipeline's remedy go back to the latest state kept that is.
///
/// No metric makes a hook
/// throw for being NaN or infinite; what the pipeline, a setter or `on_restore` throws passes out. When one of the
/// latter two throws, training state has been saved and put back as the suggestion asks, for a stage does not ask
/// twice, and none of its values is applied: in force are those of before, or those that came back with the state. It
/// stays pending, and the next observation tells so by the values in force. When the pipeline has ended, the last
/// values stay and the hooks do nothing.
///
/// Make it last: what model and optimizer hold then is what trials of the learning rate go back to, from the first
/// metric on. Where weights are loaded later all the same, the first `on_step_end` sees that by the gradients it finds,
/// mostly, and what is there then takes the place of what was, which `event::marked_anew` tells: one step of LibTorch's
/// optimizers (LBFGS apart) moves nearly every weight against its gradient, and loading moves half of them.
///
/// Refers to optimizers, model and whatever the setters refer to: they must outlive it. Not thread-safe.
class [[nodiscard]] torch_tuner {
 public:
  /// Asks for the first suggestion, whose space says what is tuned, and applies it. Throws `invalid_option` as
  /// `optimizer_values` and `training_slots` do, and where the pipeline has no suggestion to give or the optimizer no
  /// parameters.
  torch_tuner(torch::optim::Optimizer& optimizer, suggestions pipeline, torch_options options = {});
  torch_tuner(torch_tuner&&) noexcept;
  torch_tuner& operator=(torch_tuner&&) noexcept;
  ~torch_tuner();

  /// After each training step. Without a metric it only counts, for `steps` and `restoration`.
  void on_step_end();
  void on_step_end(double metric);
  /// Tensors of one element, of any number type, on any device; `invalid_option` for others.
  void on_step_end(at::Tensor const& metric);
  void on_epoch_end(double metric);
  void on_epoch_end(at::Tensor const& metric);
  /// In the direction of the objective's metric: a loss beside a loss, an accuracy beside an accuracy.
  void on_validation_end(double metric);
  void on_validation_end(at::Tensor const& metric);
  /// The user's code threw: the stretch failed. While no hook has carried a metric yet, be it NaN, and
  /// `torch_options::objective` names none, how much has failed is not known: this is told with the first metric, in
  /// its place, or where a second failure comes before that, both as one epoch.
  void on_failure();
  /// Ends a run, at its end or before it: where a trial is under way, training goes back to what it began from, and
  /// `torch_options::on_restore` is told. The hooks do nothing after that. A run that is to go on in another process is
  /// kept first (`save`), with its trial. What `on_restore` throws passes out, when all that is done.
  void finish();

  /// Keeps the run: the pipeline, and with a model also model, optimizer, random engine and the training states that
  /// the guard may return to. `own` parts come with it, for what the training loop keeps itself (a data loader's
  /// place); their names must not begin with "autotunenet". Between two hooks, at any time. Throws `checkpoint_error`,
  /// `invalid_option` for such a name, and `c10::Error` or `std::bad_alloc` where memory ends; training may go on then,
  /// and what was kept before is whole.
  void save(checkpoint_store& to, std::span<checkpoint_part const> own = {});
  /// Goes on from what `save` kept, in a process that made the tuner from the same settings, model and optimizer, and
  /// added the parameter groups that had been added, with any rates: what follows is, bit for bit, what would have
  /// followed, where LibTorch is deterministic and `snapshot_budget` is not in the way (it is measured in time;
  /// infinity or 0 take it out). Brings back the values that were in force, those set by hand included. Throws
  /// `checkpoint_error` where the checkpoint is damaged or of another search space, pipeline (as `load` compares them),
  /// model, optimizers or named objective, or of a tuner with a model where this one has none, or the other way round.
  /// Other options are not compared: the run goes on under those given here. What a setter throws passes out, and
  /// `c10::Error` or `std::bad_alloc` where memory ends. The run is as it was then, but for a setter that throws again
  /// when it is given its former value.
  void resume(checkpoint const& from);

  /// The suggestion in force, after the end the last one. Holds until the next call of a hook.
  suggestion const& current() const noexcept;
  /// The values in the optimizer, native, in the space's order, whoever set them. Holds until the next call.
  std::span<double const> applied();
  /// The hook that carries the objective; `hook::first` until one was called.
  hook objective() const noexcept;
  /// Whether a trial is under way (`reason::range_test`), which may be undone: no time to judge or keep a model, or to
  /// end a run, but by `finish`.
  bool in_trial() const noexcept;
  /// Whether the pipeline has ended.
  bool finished() const noexcept;
  /// Whether training state can be put back.
  bool restorable() const noexcept;
  /// Calls of `on_step_end` so far.
  std::uint64_t steps() const noexcept;
  /// Seconds that saving training states has cost so far.
  double snapshot_seconds() const noexcept;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

/// From settings to a tuner in one call: the pipeline that they describe, beginning with what the optimizer (and
/// setters that have `get`) hold now, or the nearer bound where that lies outside. Which hook carries the objective is
/// named by the settings or by `options`, once: `hook::first` is what the other one says. Throws `invalid_option` where
/// they name two, and as `make_pipeline` and `torch_tuner` do; the one that reads a file also as `read_settings` does,
/// with the place of a parameter that the optimizer does not have, or cannot take as it is.
torch_tuner tune(torch::optim::Optimizer& optimizer, settings const& chosen, torch_options options = {});
torch_tuner tune(torch::optim::Optimizer& optimizer, std::filesystem::path const& settings_file,
                 torch_options options = {});

/// The number in a tensor of one element, of any number type, on any device. Throws `invalid_option` for an undefined
/// tensor, more or fewer elements, complex numbers.
double metric_value(at::Tensor const& metric);

}  // namespace autotunenet
