#include <dlib/global_optimization.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "search.hpp"

namespace peers {

namespace {

using vector = dlib::matrix<double, 0, 1>;

class dlib_wrapper : public search {
 public:
  dlib_wrapper(std::size_t d, std::uint64_t seed, std::span<known_point const> known)
      : search_(specification(d), {evaluations(known)}), x_(d) {
    search_.set_seed(static_cast<time_t>(seed + 1));
  }
  std::span<double const> ask() override {
    asked_.emplace(search_.get_next_x());
    for (std::size_t i = 0; i < x_.size(); ++i) x_[i] = asked_->x()(static_cast<long>(i));
    return x_;
  }
  void tell(double y) override { asked_->set(-y); }

 private:
  static std::vector<dlib::function_spec> specification(std::size_t d) {
    vector low(static_cast<long>(d));
    vector high(static_cast<long>(d));
    low = 0.0;
    high = 1.0;
    return {dlib::function_spec(low, high)};
  }
  static std::vector<dlib::function_evaluation> evaluations(std::span<known_point const> known) {
    std::vector<dlib::function_evaluation> made;
    for (known_point const& one : known) {
      vector x(static_cast<long>(one.x.size()));
      for (std::size_t i = 0; i < one.x.size(); ++i) x(static_cast<long>(i)) = one.x[i];
      made.emplace_back(x, -one.y);
    }
    return made;
  }

  dlib::global_function_search search_;
  std::optional<dlib::function_evaluation_request> asked_;
  std::vector<double> x_;
};

}  // namespace

peer dlib_search() {
  return {"dlib",
          [](std::size_t d, std::uint64_t seed, std::span<known_point const> known) -> std::unique_ptr<search> {
            return std::make_unique<dlib_wrapper>(d, seed, known);
          },
          ""};
}

}  // namespace peers
