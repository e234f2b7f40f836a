// Upsampling with AVX2: 16 columns at a time.
#include "kernels/upsample/planes_x86.hpp"

namespace roadmask::kernels {
namespace {

struct Lanes {
  static constexpr int kLanes = 16;
  __m256i v;

  static Lanes set1(std::int16_t a) { return {_mm256_set1_epi16(a)}; }
  static Lanes load(const std::int16_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
  void store(std::int16_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  void store_bytes(std::uint8_t* p) const {
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi16(v, v), 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
  }
  static Lanes add(Lanes a, Lanes b) { return {_mm256_add_epi16(a.v, b.v)}; }
  static Lanes sub(Lanes a, Lanes b) { return {_mm256_sub_epi16(a.v, b.v)}; }
  static Lanes mul(Lanes a, Lanes b) { return {_mm256_mullo_epi16(a.v, b.v)}; }
  static Lanes times16(Lanes a) { return {_mm256_slli_epi16(a.v, 4)}; }
  static Lanes min(Lanes a, Lanes b) { return {_mm256_min_epi16(a.v, b.v)}; }
  static Lanes max(Lanes a, Lanes b) { return {_mm256_max_epi16(a.v, b.v)}; }
  static Lanes select_greater(Lanes a, Lanes b, Lanes yes, Lanes no) {
    return {_mm256_blendv_epi8(no.v, yes.v, _mm256_cmpgt_epi16(a.v, b.v))};
  }
  static Lanes select_equal(Lanes a, Lanes b, Lanes yes, Lanes no) {
    return {_mm256_blendv_epi8(no.v, yes.v, _mm256_cmpeq_epi16(a.v, b.v))};
  }
  static Lanes high_bytes(Lanes a) { return {_mm256_srli_epi16(a.v, 8)}; }

  struct Columns {
    __m256i shuffle, weights;
    Columns(const std::uint16_t* pairs, const std::uint16_t* w, int from)
        : shuffle(_mm256_sub_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs)),
                                  _mm256_set1_epi8(static_cast<char>(from)))),
          weights(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w))) {}
    Lanes blend(const std::int8_t* from) const {
      const __m256i logits =
          _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
      return {_mm256_maddubs_epi16(weights, _mm256_shuffle_epi8(logits, shuffle))};
    }
  };
};

}  // namespace

const UpsampleOps upsample_avx2 = {Lanes::kLanes, planes_blocks<planes_8x8>, winners_blocks,
                                   stretch_chunks<Lanes>, count_bytes};

}  // namespace roadmask::kernels
