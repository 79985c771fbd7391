module;
#include <cstddef>
#include <format>

module autotunenet;

namespace autotunenet {

void moving_average::refuse_window(std::size_t window) {
  throw invalid_option(std::format("window = {} is not allowed; it lies between 1 and 4096", window));
}

}  // namespace autotunenet
