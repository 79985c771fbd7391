export module autotunenet:acquisition;

import autotunenet.standard;
import :archive;
import :gaussian_process;
import :search_space;

export namespace autotunenet {

/// A rule's value, and its derivatives with respect to the posterior's mean and variance.
struct acquisition_value {
  double value = 0.0;
  double by_mean = 0.0;
  double by_variance = 0.0;
};

/// Acquisition rules here judge the difference f(x) - f(incumbent), jointly, and are *maximised*: f is a worth.

/// E[max(0, difference)] (Jones, Schonlau and Welch 1998, equation 15). At variance 0: max(0, mean).
acquisition_value expected_improvement(posterior difference) noexcept;
/// mean + weight * deviation: a lower confidence bound for a weight below 0, an upper one above (Srinivas et al. 2010).
acquisition_value confidence_bound(posterior difference, double weight) noexcept;

struct acquisition_rule {
  enum class kind : std::uint8_t { expected_improvement, confidence_bound };
  kind what = kind::expected_improvement;
  double weight = 0.0;  ///< of `confidence_bound`
};

struct acquisition_options {
  std::uint64_t seed = 0;
  std::size_t probes = 4;           ///< random points of the box that are compared for a start
  std::size_t starts = 2;           ///< of the local search, from the best probes; 1 to `probes`
  std::size_t iterations = 5;       ///< of each
  std::size_t category_trials = 8;  ///< categories tried per categorical parameter
};

/// Maximises an acquisition rule inside a box of the unit cube by a few projected gradient ascents with spectral step
/// lengths (Birgin, Martinez and Raydan 2000). Whole numbers are searched relaxed and judged rounded; categories are
/// tried one parameter at a time. Allocates at construction only. Deterministic.
class acquisition_search {
 public:
  /// Throws `invalid_option` for no probes or no starts.
  explicit acquisition_search(search_space space, acquisition_options options = {});

  /// The rule's value at the best point found, which goes to `best` and stands for an allowed configuration: the
  /// incumbent, brought into the box, where nothing is better. `incumbent` is what `surrogate` refers to. A categorical
  /// parameter is free where its bounds differ. @pre lower <= upper, all spans of the space's size
  double operator()(gaussian_process const& surrogate, acquisition_rule rule, std::span<double const> incumbent,
                    std::span<double const> lower, std::span<double const> upper, std::span<double> best);

  /// Only the random numbers go on from search to search.
  void fields(archive& a) { a(random_); }

 private:
  struct problem;
  void probe(problem const&, std::span<double const> incumbent);
  double ascend(problem const&, std::span<double> point, double value);
  double judge(problem const&, std::span<double> point, double value);
  double try_categories(problem const&, std::span<double> point, double value);

  search_space space_;
  acquisition_options options_;
  std::uint64_t random_;
  bool whole_ = false;
  std::vector<double> probes_;
  std::vector<double> values_;
  std::vector<double> gradient_, next_, next_gradient_, by_mean_, by_variance_;
};

}  // namespace autotunenet
