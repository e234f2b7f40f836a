// Which source pixels make a target pixel, and with what weights.
#pragma once

#include <cstdint>
#include <vector>

namespace roadmask::kernels {

// The taps of one axis: `count` source pixels from `first[i]` for target pixel i.
struct Taps {
  int count = 0;                      // even
  std::vector<std::int32_t> first;    // never reads over the source's end but with weight 0
  std::vector<std::int16_t> weights;  // [target][count]
};
Taps axis_taps(int source, int target, int total);

// The taps as a kernel with 64-word permutes wants them: blocks of 16 results, a result being one
// channel of one pixel, each from a window of 64 interleaved sums.
struct Windows {
  std::vector<std::int32_t> start;    // [block] where the first pair's window begins
  std::vector<std::int16_t> index;    // [block][16][2] a result's pair within the window
  std::vector<std::int16_t> weights;  // [block][pair][16][2]
  bool usable = false;                // every pair lies within its window
};
Windows make_windows(const Taps& taps, int channels);

}  // namespace roadmask::kernels
