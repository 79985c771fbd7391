#include "schedules.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <cmath>
#include <limits>

#include "bold_driver.hpp"
#include "hypergradient.hpp"
#include "plateau.hpp"

using namespace training;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

TEST_CASE("a cosine falls from 1 to 0 and passes the middle at one half") {
  CHECK(cosine_shape(0.0) == 1.0);
  CHECK_THAT(cosine_shape(0.5), WithinAbs(0.5, 1e-15));
  CHECK_THAT(cosine_shape(1.0), WithinAbs(0.0, 1e-15));
  CHECK_THAT(cosine_shape(1.0 / 3.0), WithinAbs(0.75, 1e-12));
}

TEST_CASE("steps fall to a tenth at one half and to a hundredth at three quarters") {
  CHECK(step_shape(0.499) == 1.0);
  CHECK(step_shape(0.5) == 0.1);
  CHECK(step_shape(0.749) == 0.1);
  CHECK(step_shape(0.75) == 0.01);
}

TEST_CASE("one cycle peaks once, after three tenths, and ends far below where it began") {
  CHECK_THAT(one_cycle_shape(0.0), WithinRel(0.04, 1e-12));
  CHECK_THAT(one_cycle_shape(0.3), WithinRel(1.0, 1e-12));
  CHECK_THAT(one_cycle_shape(1.0), WithinRel(4e-6, 1e-9));
  CHECK(one_cycle_shape(0.2) < one_cycle_shape(0.29));
  CHECK(one_cycle_shape(0.31) > one_cycle_shape(0.4));
}

TEST_CASE("a plateau halves the rate at the third epoch without progress, and again three later") {
  plateau rule;
  CHECK(rule.tell(1.0) == 1.0);
  CHECK(rule.tell(1.0) == 1.0);
  CHECK(rule.tell(1.1) == 1.0);
  CHECK(rule.tell(1.0) == 0.5);
  CHECK(rule.tell(1.0) == 1.0);
  CHECK(rule.tell(1.0) == 1.0);
  CHECK(rule.tell(1.0) == 0.5);
}

TEST_CASE("progress, however small beyond the threshold, makes the plateau wait anew; NaN is none") {
  plateau rule;
  rule.tell(1.0);
  rule.tell(1.0);
  rule.tell(1.0);
  CHECK(rule.tell(0.999) == 1.0);
  CHECK(rule.tell(std::numeric_limits<double>::quiet_NaN()) == 1.0);
  CHECK(rule.tell(0.99895) == 1.0);
  CHECK(rule.tell(1.0) == 0.5);
}

TEST_CASE("hypergradient descent on x^2 / 2 follows the recursion of the paper") {
  // x[t+1] = x[t] - lr[t] x[t]; the gradient at x[t] times the last movement per rate is -x[t] x[t-1].
  double const beta = 0.01;
  hypergradient rule(0.1, beta);
  double x_before = 1.0, x = x_before - 0.1 * x_before, lr = 0.1;
  for (int step = 0; step < 20; ++step) {
    lr += beta * x * x_before;
    double const told = rule.tell(-x * x_before);
    CHECK_THAT(told, WithinRel(lr, 1e-12));
    x_before = x;
    x -= told * x;
  }
  CHECK(lr > 0.1);
}

TEST_CASE("hypergradient descent never makes a rate negative, and passes over what is not finite") {
  hypergradient rule(0.1, 1.0);
  CHECK(rule.tell(5.0) == 0.0);
  CHECK(rule.tell(std::numeric_limits<double>::infinity()) == 0.0);
  CHECK(rule.tell(-0.5) == 0.5);
}

TEST_CASE("the bold driver speeds up while means fall and halves when they do not") {
  bold_driver rule(2);
  CHECK(rule.tell(2.0) == 1.0);
  CHECK(rule.tell(1.0) == 1.05);
  CHECK(rule.tell(0.0) == 1.0);
  CHECK(rule.tell(2.9) == 1.05);
  CHECK(rule.tell(1.5) == 1.0);
  CHECK(rule.tell(1.5) == 0.5);
  rule.tell(1.0);
  CHECK(rule.tell(std::nan("")) == 0.5);
  rule.tell(9.0);
  CHECK(rule.tell(9.0) == 1.05);
}
