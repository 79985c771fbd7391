export module autotunenet:watch;

import autotunenet.standard;
import :generator;
import :trial;

export namespace autotunenet {

/// Sees a pipeline at work. The references hold during the call only. An exception thrown here passes out of ask or
/// tell and ends the tuner, so an observer that may fail should keep its failure to itself.
class observer {
 public:
  observer() = default;
  observer(observer const&) = delete;
  observer& operator=(observer const&) = delete;
  virtual ~observer() = default;
  /// A suggestion goes out; `suggestion::why` and `suggestion::events` say what led to it.
  virtual void suggested(suggestion const&) = 0;
  /// An observation came in for that suggestion.
  virtual void observed(suggestion const&, observation const&) = 0;
};

/// A stage that shows everything that passes to an observer. Put it last to see what the trainer sees.
/// The observer must outlive the tuner. What is saved of a pipeline is the same with it and without.
class watch {
 public:
  explicit watch(observer& by, std::pmr::memory_resource* memory = nullptr) : by_(&by), memory_(memory) {}
  suggestions operator()(suggestions inner) const;

 private:
  observer* by_;
  std::pmr::memory_resource* memory_;
};

}  // namespace autotunenet
