// A mask in colour over a frame.
#pragma once

#include <cstdint>

#include "kernels/preprocess/preprocess.hpp"

namespace roadmask::kernels {

// out = (frame * (256 - a) + palette[mask] * a + 128) >> 8 with a = alpha, and 256 for 255, over
// BGR bytes; `out` may be the frame. `palette` is [256][3].
void overlay(Picture frame, Picture mask, const std::uint8_t* palette, int alpha, Plane out,
             Size size);

}  // namespace roadmask::kernels
