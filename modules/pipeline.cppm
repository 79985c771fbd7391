export module autotunenet:pipeline;

import autotunenet.standard;
import :earlier_run;
import :generator;
import :search_space;
import :settings;

export namespace autotunenet {

/// The tuner with its stages that the settings describe, from the inside out: the tuner, `every`, `smooth`, `anneal`,
/// `branch_test`, `range_test`, `bracket`, `guard`, and `maximize` where the metric should grow.
///
/// `start` is what training runs with now; empty: the center of the space. Stages are left out where they have nothing
/// to do: annealing needs a real parameter that is the learning rate; the two tests and `bracket` one with values above
/// 0, whatever its scale, and `range_test = true`. The tests need observations of training steps, `bracket` those of
/// epochs or validations; where the settings leave open which it will be, all three stand by. All frames come from
/// `memory`, if given.
///
/// Throws `invalid_option`: settings that `check` refuses, settings without parameters where `start` has none either,
/// and a start of another space.
suggestions make_pipeline(settings const&, configuration start = {}, std::pmr::memory_resource* memory = nullptr);

/// The same, where the tuner begins with what an earlier run learned, discounted: a warm start. The settings are taken
/// to have been the earlier run's too, apart from its horizon. Throws also as `translate`, and where the tuner is not
/// `tuner_kind::bayesian`, the only one that weighs evidence by its age.
suggestions make_pipeline(settings const&, configuration start, earlier_run const& earlier,
                          std::pmr::memory_resource* memory = nullptr);

/// What the tuner of such a pipeline would have been told of an earlier run: for `bayesian_options::earlier`, where a
/// pipeline is put together by hand. Throws as `translate`.
std::vector<earlier_stretch> stretches(settings const&, configuration const& start, earlier_run const& earlier);

}  // namespace autotunenet
