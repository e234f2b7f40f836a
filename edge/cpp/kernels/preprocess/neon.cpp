// Preprocessing with NEON.
#include <arm_neon.h>

#include <cstring>

#include "kernels/preprocess/body.hpp"

namespace roadmask::kernels {
namespace {

inline void rows_16(const std::uint8_t* const* rows, const std::uint8_t* weights, int count, int x,
                    std::int16_t* out) {
  uint16x8_t low = vdupq_n_u16(0), high = low;
  for (int i = 0; i < count; ++i) {
    const uint8x16_t pixels = vld1q_u8(rows[i] + x);
    const uint8x8_t w = vdup_n_u8(weights[i]);
    low = vmlal_u8(low, vget_low_u8(pixels), w);
    high = vmlal_u8(high, vget_high_u8(pixels), w);
  }
  const uint16x8_t flip = vdupq_n_u16(0x8000);  // less 128 x 256
  vst1q_s16(out + x, vreinterpretq_s16_u16(veorq_u16(low, flip)));
  vst1q_s16(out + x + 8, vreinterpretq_s16_u16(veorq_u16(high, flip)));
}

void rows(const std::uint8_t* const* rows, const std::uint8_t* weights, int count, int bytes,
          std::int16_t* out) {
  if (bytes < 16) return rows_from(0, rows, weights, count, bytes, out);
  const auto all = [&](int n) __attribute__((always_inline)) {
    for (int x = 0; x + 16 <= bytes; x += 16) rows_16(rows, weights, n, x, out);
    if (bytes % 16) rows_16(rows, weights, n, bytes - 16, out);
  };
  // A constant count lets the compiler keep rows and weights in registers.
  if (count == 2) return all(2);
  if (count == 4) return all(4);
  all(count);
}

// One column as words B G R and a fourth that does not count.
inline int16x4_t pixel(const std::int16_t* sums, TapsView taps, int x) {
  const std::int16_t* from = sums + 3 * static_cast<std::ptrdiff_t>(taps.first[x]);
  const std::int16_t* w = taps.weights + static_cast<std::ptrdiff_t>(x) * taps.count;
  int32x4_t sum = vdupq_n_s32(kHalf);
  for (int t = 0; t < taps.count; ++t) sum = vmlal_n_s16(sum, vld1_s16(from + 3 * t), w[t]);
  return vmovn_s32(vshrq_n_s32(sum, kShift));
}

void columns_bgr(const std::int16_t* sums, TapsView taps, int width, std::uint8_t* out) {
  const std::uint8_t rgb[16] = {2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 255, 255, 255, 255};
  const uint8x16_t order = vld1q_u8(rgb);
  int x = 0;
  // 16 bytes are stored of which 12 count, hence the two columns of distance to the end.
  for (; x + 6 <= width; x += 4) {
    const int16x8_t a = vcombine_s16(pixel(sums, taps, x), pixel(sums, taps, x + 1));
    const int16x8_t b = vcombine_s16(pixel(sums, taps, x + 2), pixel(sums, taps, x + 3));
    const uint8x16_t bytes =
        vcombine_u8(vmovn_u16(vreinterpretq_u16_s16(a)), vmovn_u16(vreinterpretq_u16_s16(b)));
    vst1q_u8(out + 3 * x, vqtbl1q_u8(bytes, order));
  }
  columns_bgr_from(x, sums, taps, width, out);
}

// Four columns of two taps.
inline int32x4_t four_columns(const std::int16_t* sums, TapsView taps, int x) {
  std::int16_t words[8];
  for (int i = 0; i < 4; ++i) std::memcpy(words + 2 * i, sums + taps.first[x + i], 4);
  const int16x8_t pairs = vld1q_s16(words);
  const int16x8_t weights = vld1q_s16(taps.weights + 2 * static_cast<std::ptrdiff_t>(x));
  return vpaddq_s32(vmull_s16(vget_low_s16(pairs), vget_low_s16(weights)),
                    vmull_high_s16(pairs, weights));
}

void columns(const std::int16_t* sums, TapsView taps, int width, std::uint8_t* out) {
  int x = 0;
  if (taps.count == 2) {
    for (; x + 4 <= width; x += 4) {
      const int32x4_t sum = vaddq_s32(four_columns(sums, taps, x), vdupq_n_s32(kHalf));
      const uint16x4_t words = vmovn_u32(vreinterpretq_u32_s32(vshrq_n_s32(sum, kShift)));
      const std::uint32_t bytes =
          vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(words, words))), 0);
      std::memcpy(out + x, &bytes, 4);
    }
    return columns_from(x, sums, taps, width, out);
  }
  for (; x < width; ++x) {
    const std::int16_t* from = sums + taps.first[x];
    const std::int16_t* w = taps.weights + static_cast<std::ptrdiff_t>(x) * taps.count;
    int32x4_t products = vdupq_n_s32(0);
    int t = 0;
    for (; t + 4 <= taps.count; t += 4)
      products = vmlal_s16(products, vld1_s16(from + t), vld1_s16(w + t));
    std::int32_t sum = vaddvq_s32(products) + kHalf;
    for (; t < taps.count; ++t) sum += w[t] * from[t];
    out[x] = static_cast<std::uint8_t>(sum >> kShift);
  }
}

}  // namespace

const PreprocessOps preprocess_neon = {rows,        columns_bgr, columns,  split_any,
                                       colours_any, flip_any,    table_any};

}  // namespace roadmask::kernels
