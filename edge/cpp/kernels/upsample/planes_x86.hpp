// Interleaved logits → planes with SSE2 shuffles, for the x86 levels.
#pragma once

#include <immintrin.h>

#include "kernels/upsample/body.hpp"

namespace roadmask::kernels {
namespace {

// 8 columns of 8 classes: an 8 x 8 transpose of bytes.
inline void planes_8x8(const std::int8_t* from, std::ptrdiff_t classes, std::int8_t* to,
                       std::ptrdiff_t stride) {
  const auto load = [&](int i) {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + i * classes));
  };
  const __m128i a0 = _mm_unpacklo_epi8(load(0), load(1)), a1 = _mm_unpacklo_epi8(load(2), load(3));
  const __m128i a2 = _mm_unpacklo_epi8(load(4), load(5)), a3 = _mm_unpacklo_epi8(load(6), load(7));
  const __m128i b0 = _mm_unpacklo_epi16(a0, a1), b1 = _mm_unpackhi_epi16(a0, a1);
  const __m128i b2 = _mm_unpacklo_epi16(a2, a3), b3 = _mm_unpackhi_epi16(a2, a3);
  const auto store = [&](int k, __m128i two) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + k * stride), two);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + (k + 1) * stride),
                     _mm_unpackhi_epi64(two, two));
  };
  store(0, _mm_unpacklo_epi32(b0, b2));
  store(2, _mm_unpackhi_epi32(b0, b2));
  store(4, _mm_unpacklo_epi32(b1, b3));
  store(6, _mm_unpackhi_epi32(b1, b3));
}

}  // namespace
}  // namespace roadmask::kernels
