module;
#include <memory_resource>

export module autotunenet:pipeline;

import :generator;
import :search_space;
import :settings;

export namespace autotunenet {

/// The tuner with its stages that the settings describe, from the inside out: the tuner, `every`, `smooth`, `anneal`,
/// `branch_test`, `range_test`, `guard`, and `maximize` where the metric should grow.
///
/// `start` is what training runs with now; empty: the center of the space. Stages are left out where they have nothing
/// to do: annealing needs a real parameter that is the learning rate, the two tests one on a log scale and either a
/// horizon or `hook::step`, for a sweep is counted in training steps. All frames come from `memory`, if given.
///
/// Throws `invalid_option`: settings that `check` refuses, settings without parameters where `start` has none either,
/// and a start of another space.
suggestions make_pipeline(settings const&, configuration start = {}, std::pmr::memory_resource* memory = nullptr);

}  // namespace autotunenet
