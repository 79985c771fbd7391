#pragma once
// A program may use Eigen too, compiled with other flags: with AVX its matrices are aligned and freed in another way.
// The linker takes one of two inline functions of the same name, so here the names are others. Eigen itself is always
// included through this header.
#define Eigen autotunenet_eigen
#include <Eigen/Core>
