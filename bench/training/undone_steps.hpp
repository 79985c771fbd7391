#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace training {

/// The steps of a run whose effect was not kept. A step counts once, however often a return goes back over it.
class undone_steps {
 public:
  /// The state before step `from` is back, just before step `to`; steps count from 0.
  void undo(std::size_t from, std::size_t to) {
    undone_.resize(std::max(undone_.size(), to), false);
    std::fill(undone_.begin() + static_cast<std::ptrdiff_t>(from), undone_.begin() + static_cast<std::ptrdiff_t>(to),
              true);
  }
  std::size_t count() const { return static_cast<std::size_t>(std::ranges::count(undone_, true)); }

 private:
  std::vector<bool> undone_;
};

}  // namespace training
