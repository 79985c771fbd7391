export module autotunenet.journal:observers;

import autotunenet.standard;
import autotunenet;

export namespace autotunenet {

/// Several observers as one, in the given order. All must outlive it.
///
///     observers all(log, written);
///     auto tuning = make_pipeline(chosen) | watch(all);
class observers : public observer {
 public:
  template <std::derived_from<observer>... Each>
  explicit observers(Each&... each) : all_{&each...} {}

  void suggested(suggestion const& next) override {
    for (observer* one : all_) one->suggested(next);
  }
  void observed(suggestion const& answered, observation const& seen) override {
    for (observer* one : all_) one->observed(answered, seen);
  }

 private:
  std::vector<observer*> all_;
};

}  // namespace autotunenet
