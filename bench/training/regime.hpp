#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace training {

/// What changes when half of a run is over. "stationary", and `trained_before`: nothing.
constexpr std::array<std::string_view, 6> shifts{
    "label_noise",     ///< 40 % of the training labels become random ones
    "data_shift",      ///< images are inverted, in training and everywhere
    "curriculum",      ///< five classes at first, then all ten, in training and everywhere
    "regularisation",  ///< dropout 0.5 and a weight decay of 1e-3 in the gradient, neither under the method's control
    "loss_noise",      ///< each batch's loss is multiplied by a log-normal factor of mean 1 and deviation 1 in the log
    "gradient_noise",  ///< Gaussian noise of deviation 0.01 on each gradient entry
};

constexpr bool is_shift(std::string_view regime) { return std::ranges::find(shifts, regime) != shifts.end(); }

/// The network comes from some epochs of the same training, whose rate fell to nothing: what it knows can be lost.
constexpr std::string_view trained_before = "trained_before";
constexpr std::size_t epochs_before = 5;

/// The epoch, counted from 0, with which a shift begins.
constexpr std::size_t shift_epoch(std::size_t epochs) { return epochs / 2; }

}  // namespace training
