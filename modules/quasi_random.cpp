module;
#include <coroutine>
#include <cstddef>
#include <memory_resource>
#include <utility>
#include <vector>

#include "golden_sequence.hpp"

module autotunenet;

import :unit_box;

namespace autotunenet {

namespace {

struct quasi_random_tuner {
  quasi_random_tuner(search_space over, quasi_random_options const& options)
      : space(std::move(over)),
        has_start(!options.start.empty()),
        sequence(space.size(), options.seed),
        box(space.size()),
        point(space.size()) {
    check_start(space, options.start, "quasi_random");
    next.values = has_start ? options.start : space.center();
  }

  suggestion const& ask() {
    if (++next.number == 1 && has_start) {
      next.why = reason::start;
      return next;
    }
    next.why = reason::explore;
    sequence.next(point);
    for (std::size_t i = 0; i < point.size(); ++i) {
      next.values.assign(i, space.from_unit(i, settle(space, i, point[i], box.lower[i], box.upper[i])));
    }
    return next;
  }

  void tell(observation const& seen) { box.assign(space, seen.within); }

  void fields(archive& a) {
    a.section("quasi_random");
    a(sequence)(box)(next);
  }

  search_space space;
  bool has_start;
  detail::golden_sequence sequence;
  unit_box box;
  std::vector<double> point;
  suggestion next;
};

}  // namespace

suggestions quasi_random(search_space space, quasi_random_options options, std::pmr::memory_resource* memory) {
  return drive(quasi_random_tuner(std::move(space), options), memory);
}

}  // namespace autotunenet
