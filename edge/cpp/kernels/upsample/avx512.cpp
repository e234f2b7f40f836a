// Upsampling with AVX-512 (BW, VL): 32 columns at a time.
#include "kernels/upsample/planes_x86.hpp"

namespace roadmask::kernels {
namespace {

struct Lanes {
  static constexpr int kLanes = 32;
  __m512i v;

  static Lanes set1(std::int16_t a) { return {_mm512_set1_epi16(a)}; }
  static Lanes load(const std::int16_t* p) { return {_mm512_loadu_si512(p)}; }
  void store(std::int16_t* p) const { _mm512_storeu_si512(p, v); }
  void store_bytes(std::uint8_t* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi16_epi8(v));
  }
  static Lanes add(Lanes a, Lanes b) { return {_mm512_add_epi16(a.v, b.v)}; }
  static Lanes sub(Lanes a, Lanes b) { return {_mm512_sub_epi16(a.v, b.v)}; }
  static Lanes mul(Lanes a, Lanes b) { return {_mm512_mullo_epi16(a.v, b.v)}; }
  static Lanes times16(Lanes a) { return {_mm512_slli_epi16(a.v, 4)}; }
  static Lanes min(Lanes a, Lanes b) { return {_mm512_min_epi16(a.v, b.v)}; }
  static Lanes max(Lanes a, Lanes b) { return {_mm512_max_epi16(a.v, b.v)}; }
  static Lanes select_greater(Lanes a, Lanes b, Lanes yes, Lanes no) {
    return {_mm512_mask_mov_epi16(no.v, _mm512_cmpgt_epi16_mask(a.v, b.v), yes.v)};
  }
  static Lanes select_equal(Lanes a, Lanes b, Lanes yes, Lanes no) {
    return {_mm512_mask_mov_epi16(no.v, _mm512_cmpeq_epi16_mask(a.v, b.v), yes.v)};
  }
  static Lanes high_bytes(Lanes a) { return {_mm512_srli_epi16(a.v, 8)}; }

  struct Columns {
    __m512i shuffle, weights;
    Columns(const std::uint16_t* pairs, const std::uint16_t* w, int from)
        : shuffle(_mm512_sub_epi8(_mm512_loadu_si512(pairs),
                                  _mm512_set1_epi8(static_cast<char>(from)))),
          weights(_mm512_loadu_si512(w)) {}
    Lanes blend(const std::int8_t* from) const {
      const __m512i logits =
          _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
      return {_mm512_maddubs_epi16(weights, _mm512_shuffle_epi8(logits, shuffle))};
    }
  };
};

}  // namespace

const UpsampleOps upsample_avx512 = {Lanes::kLanes, planes_blocks<planes_8x8>, winners_blocks,
                                     stretch_chunks<Lanes>, count_bytes};

}  // namespace roadmask::kernels
