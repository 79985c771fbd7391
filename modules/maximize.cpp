module;
#include <coroutine>
#include <utility>

module autotunenet;

namespace autotunenet {

namespace {

struct negation {
  suggestion const& ask(suggestions& inner) { return inner.ask(); }

  void tell(observation const& seen, suggestions& inner) {
    observation negated = seen;
    negated.metric = -seen.metric;
    inner.tell(negated);
  }
};

}  // namespace

suggestions maximize::operator()(suggestions inner) const { return drive(negation{}, std::move(inner), memory_); }

}  // namespace autotunenet
