module;
#include <coroutine>
#include <utility>

module autotunenet;

namespace autotunenet {

namespace {

struct watching {
  observer* by;

  suggestion const& ask(suggestions& inner) {
    suggestion const& next = inner.ask();
    by->suggested(next);
    return next;
  }

  void tell(observation const& seen, suggestions& inner) {
    by->observed(inner.ask(), seen);
    inner.tell(seen);
  }
};

}  // namespace

suggestions watch::operator()(suggestions inner) const { return drive(watching{by_}, std::move(inner), memory_); }

}  // namespace autotunenet
