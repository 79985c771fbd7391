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

  // Being watched changes nothing: a run may be saved with an observer and go on without.
  static constexpr bool transparent = true;
  void fields(archive&) {}
};

}  // namespace

suggestions watch::operator()(suggestions inner) const { return drive(watching{by_}, std::move(inner), memory_); }

}  // namespace autotunenet
