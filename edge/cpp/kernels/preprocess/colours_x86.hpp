// YUV rows → RGB with AVX2, shared by the x86 levels: 16 columns at a time.
#pragma once

#include <immintrin.h>

#include "kernels/preprocess/body.hpp"

namespace roadmask::kernels {
namespace {

// 16 words under 0 and over 255 included → 16 bytes.
inline __m128i clamp_bytes(__m256i words) {
  return _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi16(words, words), 0x08));
}

inline void store_interleaved(__m128i r, __m128i g, __m128i b, std::uint8_t* out) {
  // Byte i of the 48 is channel i % 3 of column i / 3.
  const auto store = [&](int part, __m128i from_r, __m128i from_g, __m128i from_b) {
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(out + 16 * part),
        _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(r, from_r), _mm_shuffle_epi8(g, from_g)),
                     _mm_shuffle_epi8(b, from_b)));
  };
  store(0, _mm_setr_epi8(0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5),
        _mm_setr_epi8(-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1),
        _mm_setr_epi8(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1));
  store(1, _mm_setr_epi8(-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1),
        _mm_setr_epi8(5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10),
        _mm_setr_epi8(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1));
  store(2, _mm_setr_epi8(-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1),
        _mm_setr_epi8(-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1),
        _mm_setr_epi8(10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15));
}

// (xy . (x, y) + zd . (z, 1)) >> 13, a dot product of two words each.
inline __m256i mix(__m256i x, __m256i y, __m256i xy, __m256i z, __m256i one, __m256i zd) {
  const auto half = [&](__m256i first, __m256i second) {
    return _mm256_srai_epi32(
        _mm256_add_epi32(_mm256_madd_epi16(first, xy), _mm256_madd_epi16(second, zd)), 13);
  };
  return _mm256_packs_epi32(half(_mm256_unpacklo_epi16(x, y), _mm256_unpacklo_epi16(z, one)),
                            half(_mm256_unpackhi_epi16(x, y), _mm256_unpackhi_epi16(z, one)));
}

inline __m256i factors(std::int16_t low, std::int16_t high) {
  return _mm256_set1_epi32(static_cast<std::int32_t>(static_cast<std::uint16_t>(low) |
                                                     static_cast<std::uint32_t>(high) << 16));
}

void colours_avx2(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t* v, int width,
                  std::uint8_t* out) {
  const auto load = [](const std::uint8_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  };
  const __m256i one = _mm256_set1_epi16(1), middle = _mm256_set1_epi16(128);
  int x = 0;
  for (; x + 16 <= width; x += 16) {
    const __m256i luma = _mm256_cvtepu8_epi16(_mm_subs_epu8(load(y + x), _mm_set1_epi8(16)));
    const __m256i blue = _mm256_sub_epi16(_mm256_cvtepu8_epi16(load(u + x)), middle);
    const __m256i red = _mm256_sub_epi16(_mm256_cvtepu8_epi16(load(v + x)), middle);
    const __m256i r = mix(blue, red, factors(0, 13074), luma, one, factors(9535, 4096));
    const __m256i g = mix(blue, red, factors(-3203, -6660), luma, one, factors(9535, 4096));
    const __m256i b = mix(blue, red, factors(16531, 0), luma, one, factors(9535, 4096));
    store_interleaved(clamp_bytes(r), clamp_bytes(g), clamp_bytes(b), out + 3 * x);
  }
  colours_any(y + x, u + x, v + x, width - x, out + 3 * x);
}

}  // namespace
}  // namespace roadmask::kernels
