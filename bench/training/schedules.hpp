#pragma once

namespace training {

/// Multiples of the starting rate at a point of the run, `progress` in [0, 1].

/// Half a cosine from 1 to 0 (Loshchilov and Hutter 2017, equation 5, without restarts).
double cosine_shape(double progress);
/// A tenth after half of the run, a hundredth after three quarters.
double step_shape(double progress);
/// Up from 1/25 over the first three tenths, down to 1/250000, both along cosines (Smith and Topin 2018).
double one_cycle_shape(double progress);

}  // namespace training
