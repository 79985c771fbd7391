module;
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>

export module autotunenet:anneal;

import :generator;

export namespace autotunenet {

enum class annealing : std::uint8_t {
  cosine,  ///< half a cosine from 1 to `floor` over the horizon
  linear,  ///< constant for `hold`, then a straight line to `floor`
};

struct anneal_options {
  std::string parameter = "lr";  ///< a real parameter
  std::size_t horizon = 0;       ///< observations that the run will have; 0: not known, then anneal on plateaus
  annealing shape = annealing::cosine;
  double hold = 0.0;   ///< fraction of the horizon before annealing begins
  double floor = 0.0;  ///< final multiple
};

/// A stage that multiplies one parameter by an annealing shape, so that the tuner inside tunes the peak: the
/// short-horizon bias (Wu et al. 2018) would otherwise make it anneal too early.
class anneal {
 public:
  explicit anneal(anneal_options options = {}, std::pmr::memory_resource* memory = nullptr);
  suggestions operator()(suggestions inner) const;

 private:
  anneal_options options_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
