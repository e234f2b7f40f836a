// Preprocessing without intrinsics; each preprocess_LEVEL.cpp compiles it with its own flags and
// replaces what it does better. Everything here is local to the including file.
#pragma once

#include "kernels/preprocess/preprocess.hpp"

namespace roadmask::kernels {
namespace {

constexpr std::int32_t kHalf = (1 << 29) + (1 << 21);  // 128 back, and rounding
constexpr int kShift = 22;

void rows_from(int begin, const std::uint8_t* const* rows, const std::uint8_t* weights, int count,
               int bytes, std::int16_t* out) {
  for (int x = begin; x < bytes; ++x) {
    int sum = -32768;
    for (int i = 0; i < count; ++i) sum += weights[i] * rows[i][x];
    out[x] = static_cast<std::int16_t>(sum);
  }
}

inline std::uint8_t column(const std::int16_t* sums, int stride, const std::int16_t* weights,
                           int count) {
  std::int32_t sum = kHalf;
  for (int t = 0; t < count; ++t) sum += weights[t] * sums[t * stride];
  return static_cast<std::uint8_t>(sum >> kShift);
}

void columns_from(int begin, const std::int16_t* sums, TapsView taps, int width,
                  std::uint8_t* out) {
  for (int x = begin; x < width; ++x)
    out[x] = column(sums + taps.first[x], 1,
                    taps.weights + static_cast<std::ptrdiff_t>(x) * taps.count, taps.count);
}

void split_any(const std::int16_t* sums, int pairs, std::int16_t* even, std::int16_t* odd) {
  for (int i = 0; i < pairs; ++i) {
    even[i] = sums[2 * i];
    odd[i] = sums[2 * i + 1];
  }
}

void columns_bgr_from(int begin, const std::int16_t* sums, TapsView taps, int width,
                      std::uint8_t* out) {
  for (int x = begin; x < width; ++x) {
    const std::int16_t* from = sums + static_cast<std::ptrdiff_t>(taps.first[x]) * 3;
    const std::int16_t* weights = taps.weights + static_cast<std::ptrdiff_t>(x) * taps.count;
    for (int c = 0; c < 3; ++c) out[3 * x + c] = column(from + 2 - c, 3, weights, taps.count);
  }
}

// Fetches its share of the pixels ahead at each of `calls` calls, into the second-level cache.
class Fetcher {
 public:
  Fetcher(Ahead ahead, int calls) : at_(ahead.at), end_(ahead.end) {
    lines_ = static_cast<int>((end_ - at_) / 64) / calls + 1;
  }
  void next() {
    for (int i = 0; i < lines_ && at_ < end_; ++i, at_ += 64) __builtin_prefetch(at_, 0, 2);
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
  int lines_;
};

inline std::uint8_t clamp_byte(std::int32_t v) {
  return static_cast<std::uint8_t>(v < 0 ? 0 : v > 255 ? 255 : v);
}

// BT.601 limited range in 1 / 2^13, OpenCV's factors.
void colours_any(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t* v, int width,
                 std::uint8_t* out) {
  for (int x = 0; x < width; ++x) {
    const std::int32_t luma = (y[x] > 16 ? y[x] - 16 : 0) * 9535 + 4096;
    const std::int32_t blue = u[x] - 128, red = v[x] - 128;
    out[3 * x] = clamp_byte((luma + 13074 * red) >> 13);
    out[3 * x + 1] = clamp_byte((luma - 3203 * blue - 6660 * red) >> 13);
    out[3 * x + 2] = clamp_byte((luma + 16531 * blue) >> 13);
  }
}

void flip_any(int bytes, std::uint8_t* in_out) {
  for (int i = 0; i < bytes; ++i) in_out[i] ^= 0x80;
}

void table_any(const std::uint8_t* table, int bytes, std::uint8_t* in_out) {
  for (int i = 0; i < bytes; ++i) in_out[i] = table[in_out[i]];
}

}  // namespace
}  // namespace roadmask::kernels
