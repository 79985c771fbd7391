#pragma once

#include <string>

#include "results.hpp"
#include "suites.hpp"

namespace training {

/// Tables of what the results have of each suite, and the goals at the end, for a screen of 120 columns.
std::string report(results const& of, std::vector<suite> const& all);

/// The goals, each with what was reached.
std::string goals(results const& of, std::vector<suite> const& all);

}  // namespace training
