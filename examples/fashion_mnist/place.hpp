#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "training.hpp"

namespace fashion {

/// Where a run is in its data, and what it has measured on the way: what a checkpoint of the loop needs beside model,
/// optimizer and tuner.
struct place {
  std::mt19937_64 shuffling;
  std::size_t done = 0;      ///< images of the epoch that began
  double sum = 0.0;          ///< of the losses of those that count
  std::size_t measured = 0;  ///< how many count
  standing at;
  std::vector<std::int64_t> order{};  ///< of the images in this epoch; drawn anew where `done` is 0

  void begin_epoch(std::size_t images) {
    order.resize(images);
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::ranges::shuffle(order, shuffling);
    sum = 0.0;
    measured = 0;
  }

  template <class Archive>
  void fields(Archive& a) {
    std::ostringstream written;
    written << shuffling;
    std::string engine = written.str();
    a(engine);
    std::istringstream(engine) >> shuffling;
    a(done)(sum)(measured)(order);
    if (done > order.size()) a.refuse("has more images behind it than an epoch has");
    a(at.epochs)(at.training_loss)(at.validation_loss)(at.validation_accuracy)(at.rate)(at.rollbacks)(at.seconds);
  }
};

}  // namespace fashion
