module;
#include <coroutine>
#include <memory_resource>
#include <utility>

module autotunenet;

namespace autotunenet {

namespace {

struct turned_around {
  suggestion const& ask(suggestions& inner) { return inner.ask(); }
  void tell(observation seen, suggestions& inner) {
    seen.metric = -seen.metric;
    seen.validation = -seen.validation;
    inner.tell(seen);
  }
  void fields(archive& a) { a.section("maximize"); }
};

}  // namespace

suggestions maximize::operator()(suggestions inner) const { return drive(turned_around{}, std::move(inner), memory_); }

}  // namespace autotunenet
