module;
#include <cmath>
#include <coroutine>
#include <memory_resource>
#include <utility>

module autotunenet;

namespace autotunenet {

namespace {

struct smoothing {
  moving_average metric;
  moving_average noise;
  bool trial = false;

  suggestion const& ask(suggestions& inner) {
    suggestion const& next = inner.ask();
    trial = next.why == reason::range_test;
    return next;
  }

  void tell(observation const& seen, suggestions& inner) {
    if (trial || !seen.usable()) return inner.tell(seen);
    observation smoothed = seen;
    metric.push(seen.metric);
    smoothed.metric = metric.mean();
    smoothed.noise = 0.0;
    if (seen.noise > 0.0 && std::isfinite(seen.noise)) {
      noise.push(seen.noise);
      smoothed.noise = noise.mean() / std::sqrt(metric.effective_count());
    }
    inner.tell(smoothed);
  }

  void fields(archive& a) {
    a.section("smooth");
    a.same_option(metric.window(), "smooth: window ([metrics] smoothing_window)");
    a(metric)(noise)(trial);
  }
};

}  // namespace

smooth::smooth(smooth_options options, std::pmr::memory_resource* memory) : options_(options), memory_(memory) {
  moving_average(options.window, options.kind);
}

suggestions smooth::operator()(suggestions inner) const {
  moving_average const empty(options_.window, options_.kind);
  return drive(smoothing{empty, empty}, std::move(inner), memory_);
}

}  // namespace autotunenet
