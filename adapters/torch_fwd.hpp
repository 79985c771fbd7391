#pragma once

// All that the module's interface knows of LibTorch: its headers would make every module file that names them a hundred
// megabytes large, so only the implementation units include them.

namespace at {
class Tensor;
}
namespace torch::nn {
class Module;
}
namespace torch::optim {
class Optimizer;
}
