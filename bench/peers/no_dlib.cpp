#include "search.hpp"

namespace peers {

peer dlib_search() { return {"dlib", {}, "libdlib-dev"}; }

}  // namespace peers
