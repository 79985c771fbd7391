#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataset.hpp"

namespace training {

/// Rows of the training part in the order of a seed: a new permutation whenever all were used; batches may be short at
/// its end.
class batches {
 public:
  batches(std::vector<std::int64_t> rows, std::size_t size, std::uint64_t seed)
      : rows_(std::move(rows)), size_(size), seed_(seed) {}

  void replace_rows(std::vector<std::int64_t> rows) {
    rows_ = std::move(rows);
    at_ = order_.size();
  }

  std::span<std::int64_t const> next() {
    if (at_ >= order_.size()) shuffle();
    std::size_t const count = std::min(size_, order_.size() - at_);
    at_ += count;
    return std::span<std::int64_t const>(order_).subspan(at_ - count, count);
  }

 private:
  void shuffle() {
    order_ = permutation(rows_.size(), seed_ * 1'000'003 + ++rounds_);
    for (auto& row : order_) row = rows_[static_cast<std::size_t>(row)];
    at_ = 0;
  }

  std::vector<std::int64_t> rows_, order_;
  std::size_t size_, at_ = 0;
  std::uint64_t seed_, rounds_ = 0;
};

}  // namespace training
