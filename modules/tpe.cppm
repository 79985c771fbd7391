export module autotunenet:tpe;

import autotunenet.standard;
import :generator;
import :search_space;

export namespace autotunenet {

struct tpe_options {
  std::uint64_t seed = 0;
  configuration start{};        ///< the first suggestion, of the same space; empty: the center of the space
  std::size_t start_up = 10;    ///< quasi-random suggestions before the estimator takes over; at least 1
  std::size_t candidates = 24;  ///< drawn from the good density per suggestion; at least 1
  std::size_t window = 256;     ///< observations kept, 8 to 65536
  double good_fraction = 0.1;   ///< at most this fraction, and at most 25, count as good; above 0 and below 1
};

/// Tree-structured Parzen estimator (Bergstra et al. 2011, NeurIPS 24, section 4), on the metric as it is: for
/// searches in which every trial starts afresh. Each parameter has densities of its own. A failed trial is worse than
/// any other, a skipped one is not counted. Throws `invalid_option`.
suggestions tpe(search_space space, tpe_options options = {}, std::pmr::memory_resource* memory = nullptr);

}  // namespace autotunenet
