#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/optim/adam.h>
#include <torch/optim/lbfgs.h>

#include <algorithm>
#include <array>
#include <catch2/catch_message.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "support/folder.hpp"
#include "support/resumable_run.hpp"

import autotunenet.torch;

using namespace autotunenet;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::MessageMatches;
namespace optim = torch::optim;

TEST_CASE("a tensor without values whose shape is beyond all bounds is refused") {
  test::folder const place;
  checkpoint_store store(place / "run");
  struct banked : resumable_run {
    at::Tensor bank = network.register_buffer("bank", at::zeros({0, 3, 5}));
    banked() : resumable_run(adam) {}
  };
  banked original;
  original.tuner.save(store);
  checkpoint const kept = *store.read();
  std::vector<checkpoint_part> hostile(kept.parts().begin(), kept.parts().end());
  using shape = std::array<std::uint64_t, 4>;  // how many sizes, and each
  auto const found = std::ranges::find(hostile, "autotunenet training", &checkpoint_part::name);
  REQUIRE(found != hostile.end());
  auto const place_of_shape =
      std::ranges::search(found->bytes, std::as_bytes(std::span<shape const, 1>({{3, 0, 3, 5}})));
  REQUIRE_FALSE(place_of_shape.empty());
  shape const beyond{3, 0, std::uint64_t{1} << 62, std::uint64_t{1} << 62};
  std::ranges::copy(std::as_bytes(std::span(beyond)), place_of_shape.begin());
  banked resumed;
  CHECK_THROWS_MATCHES(resumed.tuner.resume(checkpoint("hostile", hostile)), checkpoint_error,
                       MessageMatches(ContainsSubstring("a tensor of an impossible shape")));
}

TEST_CASE("a history of LBFGS that does not fit is refused, and one that does is not") {
  test::folder const place;
  using change = std::function<void(optim::LBFGSParamState&)>;
  std::vector<std::pair<char const*, change>> const changes{
      {"nothing", [](auto&) {}},
      {"a direction is missing", [](auto& s) { s.old_dirs().pop_back(); }},
      {"a step is missing", [](auto& s) { s.old_stps().pop_back(); }},
      {"a factor is missing", [](auto& s) { s.ro().pop_back(); }},
      {"a factor is undefined", [](auto& s) { s.ro()[0] = at::Tensor(); }},
      {"a direction is too short", [](auto& s) { s.old_dirs()[0] = at::ones({3}); }},
      {"room for too few factors", [](auto& s) { s.al()->resize(1); }},
      {"no direction", [](auto& s) { s.d(at::Tensor()); }},
      {"a gradient too long", [](auto& s) { s.prev_flat_grad(at::ones({1000})); }},
      {"a negative count", [](auto& s) { s.n_iter(-1); }},
      {"a diagonal of many", [](auto& s) { s.H_diag(at::ones({2})); }},
  };
  maker const lbfgs = made_with<optim::LBFGS>(optim::LBFGSOptions(0.01).max_iter(3).history_size(5));
  for (auto const& [name, make_hostile] : changes) {
    INFO(name);
    checkpoint_store store(place / "run");
    seed(5);
    resumable_run original(lbfgs);
    original.steps(4);
    auto& state = original.optimizer->state();
    REQUIRE(state.size() == 1);
    auto& held = static_cast<optim::LBFGSParamState&>(*state.begin()->second);
    REQUIRE_FALSE(held.old_dirs().empty());
    make_hostile(held);
    original.tuner.save(store);
    resumable_run resumed(lbfgs);
    if (name == changes[0].first) {
      resumed.tuner.resume(*store.read());
      resumed.steps(3);
      continue;
    }
    CHECK_THROWS_MATCHES(resumed.tuner.resume(*store.read()), checkpoint_error,
                         MessageMatches(ContainsSubstring("history that does not fit")));
  }
}

TEST_CASE("options of an optimizer with which a step would overflow are refused") {
  for (double const rate : {1e300, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    small_network network;
    optim::Adam optimizer(network.parameters(), optim::AdamOptions(0.01));
    training_snapshot present;
    optimizer.param_groups()[0].options().set_lr(rate);
    present.save(network, optimizer);
    archive out;
    present.fields(out, network, optimizer);
    std::vector<std::byte> const bytes = out.release();
    archive in(bytes);
    training_snapshot read;
    CHECK_THROWS_MATCHES(read.fields(in, network, optimizer), checkpoint_error,
                         MessageMatches(ContainsSubstring("\"lr\"")));
    CHECK(read.empty());
  }
}
