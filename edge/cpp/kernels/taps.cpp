#include "kernels/taps.hpp"

#include <algorithm>
#include <cstddef>

namespace roadmask::kernels {

Taps axis_taps(int source, int target, int total) {
  std::vector<std::vector<std::int16_t>> weights(static_cast<std::size_t>(target));
  Taps taps{0, std::vector<std::int32_t>(weights.size()), {}};
  const std::int64_t s = source, t = target;
  for (std::int64_t i = 0; i < t; ++i) {
    auto& w = weights[static_cast<std::size_t>(i)];
    std::int64_t first;
    if (target >= source) {
      const std::int64_t scaled = std::max<std::int64_t>(total * ((2 * i + 1) * s - t) + t, 0);
      const std::int64_t p = std::min(scaled / (2 * t), total * (s - 1));
      first = p / total;
      w.push_back(static_cast<std::int16_t>(total - p % total));
      if (p % total) w.push_back(static_cast<std::int16_t>(p % total));
    } else {
      first = i * s / t;
      std::int64_t before = 0;
      for (std::int64_t k = first; k * t < (i + 1) * s; ++k) {
        const std::int64_t covered = std::min((k + 1) * t - i * s, s);
        const std::int64_t sum = (total * covered + s / 2) / s;
        w.push_back(static_cast<std::int16_t>(sum - before));
        before = sum;
      }
    }
    taps.first[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(first);
    taps.count = std::max(taps.count, static_cast<int>(w.size()));
  }
  taps.count += taps.count % 2;
  for (auto& w : weights) {
    w.resize(static_cast<std::size_t>(taps.count), 0);
    taps.weights.insert(taps.weights.end(), w.begin(), w.end());
  }
  return taps;
}

Windows make_windows(const Taps& taps, int channels) {
  constexpr int kLanes = 16, kSums = 64;
  const int results = static_cast<int>(taps.first.size()) * channels;
  Windows windows;
  windows.usable = true;
  for (int begin = 0; begin < results; begin += kLanes) {
    const std::int32_t start = taps.first[static_cast<std::size_t>(begin / channels)] * channels;
    windows.start.push_back(start);
    for (int pair = 0; pair < taps.count; pair += 2) {
      for (int lane = 0; lane < kLanes; ++lane) {
        const int result = std::min(begin + lane, results - 1);
        const auto x = static_cast<std::size_t>(result / channels);
        if (pair == 0) {
          // Channels come out in reverse: BGR → RGB.
          const int at = taps.first[x] * channels + channels - 1 - result % channels - start;
          windows.usable = windows.usable && at + channels < kSums;
          windows.index.push_back(static_cast<std::int16_t>(at));
          windows.index.push_back(static_cast<std::int16_t>(at + channels));
        }
        const std::int16_t* w = taps.weights.data() + x * static_cast<std::size_t>(taps.count);
        windows.weights.push_back(w[pair]);
        windows.weights.push_back(w[pair + 1]);
      }
    }
  }
  return windows;
}

}  // namespace roadmask::kernels
