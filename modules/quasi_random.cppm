export module autotunenet:quasi_random;

import autotunenet.standard;
import :generator;
import :search_space;

export namespace autotunenet {

struct quasi_random_options {
  std::uint64_t seed = 0;
  configuration start{};  ///< the first suggestion, of the same space; empty: the sequence alone
};

/// Covers the space evenly, whatever the metric: an additive recurrence with the generalised golden ratio (Roberts
/// 2018, "The unreasonable effectiveness of quasirandom sequences"), shifted by the seed (Cranley and Patterson 1976).
/// Throws `invalid_option` for a start of another space.
suggestions quasi_random(search_space space, quasi_random_options options = {},
                         std::pmr::memory_resource* memory = nullptr);

}  // namespace autotunenet
