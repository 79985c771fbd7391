#pragma once
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>

import autotunenet;

namespace support {

/// Checks that a call throws `invalid_option`, with this in its message.
template <class Call>
void refused(Call&& call, std::string const& part) {
  using namespace Catch::Matchers;
  CHECK_THROWS_MATCHES(call(), autotunenet::invalid_option, MessageMatches(ContainsSubstring(part)));
}

}  // namespace support
