// Upsampling with NEON: 8 columns at a time.
#include <arm_neon.h>

#include "kernels/upsample/body.hpp"

namespace roadmask::kernels {
namespace {

struct Lanes {
  static constexpr int kLanes = 8;
  int16x8_t v;

  static Lanes set1(std::int16_t a) { return {vdupq_n_s16(a)}; }
  static Lanes load(const std::int16_t* p) { return {vld1q_s16(p)}; }
  void store(std::int16_t* p) const { vst1q_s16(p, v); }
  void store_bytes(std::uint8_t* p) const { vst1_u8(p, vmovn_u16(vreinterpretq_u16_s16(v))); }
  static Lanes add(Lanes a, Lanes b) { return {vaddq_s16(a.v, b.v)}; }
  static Lanes sub(Lanes a, Lanes b) { return {vsubq_s16(a.v, b.v)}; }
  static Lanes mul(Lanes a, Lanes b) { return {vmulq_s16(a.v, b.v)}; }
  static Lanes times16(Lanes a) { return {vshlq_n_s16(a.v, 4)}; }
  static Lanes min(Lanes a, Lanes b) { return {vminq_s16(a.v, b.v)}; }
  static Lanes max(Lanes a, Lanes b) { return {vmaxq_s16(a.v, b.v)}; }
  static Lanes select_greater(Lanes a, Lanes b, Lanes yes, Lanes no) {
    return {vbslq_s16(vcgtq_s16(a.v, b.v), yes.v, no.v)};
  }
  static Lanes select_equal(Lanes a, Lanes b, Lanes yes, Lanes no) {
    return {vbslq_s16(vceqq_s16(a.v, b.v), yes.v, no.v)};
  }
  static Lanes high_bytes(Lanes a) {
    return {vreinterpretq_s16_u16(vshrq_n_u16(vreinterpretq_u16_s16(a.v), 8))};
  }

  struct Columns {
    uint8x8_t lower, upper;
    int8x8_t lower_weight, upper_weight;
    Columns(const std::uint16_t* pairs, const std::uint16_t* w, int from) {
      const uint8x8_t base = vdup_n_u8(static_cast<std::uint8_t>(from));
      const uint8x8x2_t index = vld2_u8(reinterpret_cast<const std::uint8_t*>(pairs));
      const int8x8x2_t weight = vld2_s8(reinterpret_cast<const std::int8_t*>(w));
      lower = vsub_u8(index.val[0], base);
      upper = vsub_u8(index.val[1], base);
      lower_weight = weight.val[0];
      upper_weight = weight.val[1];
    }
    Lanes blend(const std::int8_t* from) const {
      const int8x16_t logits = vld1q_s8(from);
      return {vmlal_s8(vmull_s8(vqtbl1_s8(logits, lower), lower_weight), vqtbl1_s8(logits, upper),
                       upper_weight)};
    }
  };
};

// 8 columns of 8 classes: an 8 x 8 transpose of bytes.
inline void planes_8x8(const std::int8_t* from, std::ptrdiff_t classes, std::int8_t* to,
                       std::ptrdiff_t stride) {
  int8x8x2_t a[4];  // columns 2 i and 2 i + 1, class by class
  for (int i = 0; i < 4; ++i)
    a[i] = vzip_s8(vld1_s8(from + 2 * i * classes), vld1_s8(from + (2 * i + 1) * classes));
  for (int half = 0; half < 2; ++half) {
    const int16x4x2_t b0 =
        vzip_s16(vreinterpret_s16_s8(a[0].val[half]), vreinterpret_s16_s8(a[1].val[half]));
    const int16x4x2_t b1 =
        vzip_s16(vreinterpret_s16_s8(a[2].val[half]), vreinterpret_s16_s8(a[3].val[half]));
    for (int i = 0; i < 2; ++i) {
      const int32x2x2_t c =
          vzip_s32(vreinterpret_s32_s16(b0.val[i]), vreinterpret_s32_s16(b1.val[i]));
      std::int8_t* plane = to + (4 * half + 2 * i) * stride;
      vst1_s8(plane, vreinterpret_s8_s32(c.val[0]));
      vst1_s8(plane + stride, vreinterpret_s8_s32(c.val[1]));
    }
  }
}

}  // namespace

const UpsampleOps upsample_neon = {Lanes::kLanes, planes_blocks<planes_8x8>, winners_blocks,
                                   stretch_chunks<Lanes>, count_bytes};

}  // namespace roadmask::kernels
