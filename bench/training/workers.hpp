#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace training {

/// Does `count` pieces of work in processes of their own, `at_once` side by side: what one of them does to its memory,
/// its threads or itself touches no other. `work` runs in the child and gives its result; `done` runs in the parent
/// with the result, or with an empty string where the child died. Stops early, with the children ended, when `stop`
/// says so.
void in_processes(std::size_t count, std::size_t at_once, std::function<std::string(std::size_t)> const& work,
                  std::function<void(std::size_t, std::string const&)> const& done, std::function<bool()> const& stop);

}  // namespace training
