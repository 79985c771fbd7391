#pragma once

#include <string_view>

#include "dataset.hpp"
#include "record.hpp"

namespace training {

/// "offline_equal" and "offline_2.5x".
bool is_search(std::string_view method);

/// Offline search for the learning rate by `tpe`: short runs from scratch, then one with the best rate. Spends the
/// epochs of one run in all ("offline_equal": two fifths of them on searching, one epoch each), or two and a half times
/// as many ("offline_2.5x": 15 trials of a tenth, then a whole run along a cosine).
record search(job const& what, dataset const& data);

}  // namespace training
