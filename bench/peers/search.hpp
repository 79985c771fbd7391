#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace peers {

/// A point of the unit cube and what was measured there; smaller is better.
struct known_point {
  std::vector<double> x;
  double y = 0.0;
};

/// What every peer can do: say where to measure, and be told.
class search {
 public:
  search() = default;
  search(search const&) = delete;
  search& operator=(search const&) = delete;
  virtual ~search() = default;
  /// A point of the unit cube, valid until the next call.
  virtual std::span<double const> ask() = 0;
  virtual void tell(double y) = 0;
  /// Microseconds of CPU that ask and tell took since the last call, where somebody else has to measure them; else
  /// below 0.
  virtual double microseconds() { return -1.0; }
};

/// Makes a search over d dimensions that knows some points already.
using maker = std::function<std::unique_ptr<search>(std::size_t d, std::uint64_t seed, std::span<known_point const>)>;

struct peer {
  std::string name;
  maker make;           ///< empty: not installed
  std::string missing;  ///< what to install then
};

peer ours();         ///< the default tuner
peer ours_levels();  ///< the same, learning levels
peer ours_tpe();
peer ours_random();  ///< quasi-random
peer limbo_like();
peer dlib_search();
/// `sampler`: "TPE", "GP" or "CMA-ES".
peer optuna(std::string const& sampler);

}  // namespace peers
