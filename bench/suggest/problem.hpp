#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "../../tests/support/noise.hpp"

import autotunenet;

namespace suggest {

enum class kind : std::uint8_t { real, integer, categorical, mixed };

inline autotunenet::search_space space_of(kind what, std::size_t dimensions) {
  using namespace autotunenet;
  std::vector<parameter> all;
  for (std::size_t i = 0; i < dimensions; ++i) {
    std::string const name = "p" + std::to_string(i);
    kind const here = what == kind::mixed ? static_cast<kind>(i % 3) : what;
    if (here == kind::real) all.push_back(real{name, 1e-6, 1.0, scale::log});
    if (here == kind::integer) all.push_back(integer{name, 1, 64});
    if (here == kind::categorical) all.push_back(categorical{name, {"a", "b", "c", "d"}});
  }
  return search_space(all);
}

/// Training whose pace depends on the configuration, with a noisy metric: the tuner must look, move and learn.
class training {
 public:
  double step(autotunenet::configuration const& at) {
    double apart = 0.0;
    for (std::size_t i = 0; i < at.size(); ++i) apart += std::pow(at.space().to_unit(i, at[i]) - 0.7, 2);
    metric_ *= std::exp(-0.001 * (1.0 - 5.0 * apart / static_cast<double>(at.size())));
    if (metric_ < 1e-100 || metric_ > 1e100) metric_ = 1.0;
    return metric_ * (1.0 + 0.001 * random_.normal());
  }

 private:
  double metric_ = 1.0;
  support::noise random_{5};
};

/// A tuner that suggests the same at no cost: what remains is the price of what is around it.
struct trivial {
  autotunenet::suggestion next;

  explicit trivial(autotunenet::search_space const& space) { next.values = space.center(); }
  autotunenet::suggestion const& ask() {
    ++next.number;
    return next;
  }
  void tell(autotunenet::observation const&) {}
};

inline void step(autotunenet::suggestions& tuner, training& run) { tuner.tell(run.step(tuner.ask().values)); }

/// Metrics that fall through noise, at next to no cost of their own.
class falling_metric {
 public:
  falling_metric() {
    support::noise random(3);
    for (double& one : noise_) one = 0.01 * random.normal();
  }
  double next() {
    if (++count_ == 100'000) count_ = 0;
    return 1.0 - 1e-6 * static_cast<double>(count_) + noise_[count_ % 1024];
  }

 private:
  double noise_[1024];
  std::size_t count_ = 0;
};

}  // namespace suggest
