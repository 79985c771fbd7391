export module autotunenet:maximize;

import autotunenet.standard;
import :generator;

export namespace autotunenet {

/// A stage that turns a metric that should grow (accuracy, reward) into one that should fall, by its sign. Put it last:
/// all that it wraps minimises, and means the negated metric wherever it speaks of one
/// (`guard_options::warm_up_metric`).
class maximize {
 public:
  explicit maximize(std::pmr::memory_resource* memory = nullptr) : memory_(memory) {}
  suggestions operator()(suggestions inner) const;

 private:
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
