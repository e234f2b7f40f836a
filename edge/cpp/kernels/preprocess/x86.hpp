// Preprocessing with AVX2, shared by the x86 levels.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "kernels/preprocess/body.hpp"

namespace roadmask::kernels {
namespace {

inline __m128i load128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
inline __m256i load256(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline int load32(const void* p) {
  int v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// 32 bytes of the sum of `count` rows; maddubs takes two rows at a time.
inline void rows_32(const std::uint8_t* const* rows, const std::uint8_t* weights, int count, int x,
                    std::int16_t* out) {
  const __m256i flip = _mm256_set1_epi8(-128);
  __m256i low = _mm256_setzero_si256(), high = low;
  for (int i = 0; i < count; i += 2) {
    const __m256i a = _mm256_xor_si256(load256(rows[i] + x), flip);
    const __m256i b = _mm256_xor_si256(load256(rows[i + 1] + x), flip);
    const __m256i w =
        _mm256_set1_epi16(static_cast<std::int16_t>(weights[i] | weights[i + 1] << 8));
    low = _mm256_add_epi16(low, _mm256_maddubs_epi16(w, _mm256_unpacklo_epi8(a, b)));
    high = _mm256_add_epi16(high, _mm256_maddubs_epi16(w, _mm256_unpackhi_epi8(a, b)));
  }
  __m256i* to = reinterpret_cast<__m256i*>(out + x);
  _mm256_storeu_si256(to, _mm256_permute2x128_si256(low, high, 0x20));
  _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(low, high, 0x31));
}

void rows_avx2(const std::uint8_t* const* rows, const std::uint8_t* weights, int count, int bytes,
               std::int16_t* out) {
  if (bytes < 32) return rows_from(0, rows, weights, count, bytes, out);
  const auto all = [&](int n) __attribute__((always_inline)) {
    for (int x = 0; x + 32 <= bytes; x += 32) rows_32(rows, weights, n, x, out);
    if (bytes % 32) rows_32(rows, weights, n, bytes - 32, out);
  };
  // A constant count lets the compiler keep rows and weights in registers.
  if (count == 2) return all(2);
  if (count == 4) return all(4);
  all(count);
}

// Columns x and x + 1, each [R G B 0] in its half.
inline __m256i two_pixels(const std::int16_t* sums, TapsView taps, int x) {
  // B0 G0 R0 B1 G1 R1 → R0 R1 G0 G1 B0 B1
  const __m256i order = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(4, 5, 10, 11, 2, 3, 8, 9, 0, 1, 6, 7, -1, -1, -1, -1));
  const std::int16_t* left = sums + 3 * static_cast<std::ptrdiff_t>(taps.first[x]);
  const std::int16_t* right = sums + 3 * static_cast<std::ptrdiff_t>(taps.first[x + 1]);
  const std::int16_t* w = taps.weights + static_cast<std::ptrdiff_t>(x) * taps.count;
  __m256i sum = _mm256_set1_epi32(kHalf);
  for (int t = 0; t < taps.count; t += 2) {
    const __m256i pixels = _mm256_inserti128_si256(_mm256_castsi128_si256(load128(left + 3 * t)),
                                                   load128(right + 3 * t), 1);
    const __m256i weights =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_set1_epi32(load32(w + t))),
                                _mm_set1_epi32(load32(w + taps.count + t)), 1);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, order), weights));
  }
  return _mm256_srai_epi32(sum, kShift);
}

void columns_bgr_avx2(const std::int16_t* sums, TapsView taps, int width, std::uint8_t* out) {
  const __m128i packed = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  Fetcher fetcher(taps.ahead, width / 4 + 1);
  int x = 0;
  // 16 bytes are stored of which 12 count, hence the two columns of distance to the end.
  for (; x + 6 <= width; x += 4) {
    fetcher.next();
    const __m256i words =
        _mm256_packus_epi32(two_pixels(sums, taps, x), two_pixels(sums, taps, x + 2));
    const __m256i bytes = _mm256_packus_epi16(words, words);
    // Halves hold columns 0 2 and 1 3.
    const __m128i ordered =
        _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 3 * x), _mm_shuffle_epi8(ordered, packed));
  }
  columns_bgr_from(x, sums, taps, width, out);
}

// Four columns of four taps: one product of 16 words.
inline __m256i four_columns(const std::int16_t* sums, TapsView taps, int x) {
  const auto load = [&](int i) {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(sums + taps.first[x + i]));
  };
  const __m128i a = _mm_unpacklo_epi64(load(0), load(1)), b = _mm_unpacklo_epi64(load(2), load(3));
  const __m256i words = _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
  return _mm256_madd_epi16(words, load256(taps.weights + 4 * static_cast<std::ptrdiff_t>(x)));
}

// Eight columns of any number of taps, a pair of each at a time.
inline __m256i eight_columns(const std::int16_t* sums, TapsView taps, int x) {
  const __m256i pairs_before = _mm256_mullo_epi32(
      _mm256_add_epi32(_mm256_set1_epi32(x), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
      _mm256_set1_epi32(taps.count / 2));
  __m256i sum = _mm256_setzero_si256();
  for (int p = 0; p < taps.count / 2; ++p) {
    const __m256i words = _mm256_i32gather_epi32(reinterpret_cast<const int*>(sums + 2 * p),
                                                 load256(taps.first + x), 2);
    const __m256i weights =
        taps.count == 2 ? load256(taps.weights + 2 * static_cast<std::ptrdiff_t>(x))
                        : _mm256_i32gather_epi32(reinterpret_cast<const int*>(taps.weights) + p,
                                                 pairs_before, 4);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(words, weights));
  }
  return sum;
}

void columns_avx2(const std::int16_t* sums, TapsView taps, int width, std::uint8_t* out) {
  Fetcher fetcher(taps.ahead, width / 8 + 1);
  int x = 0;
  for (; x + 8 <= width; x += 8) {
    fetcher.next();
    __m256i sum;
    if (taps.count == 4) {
      const __m256i pairs =  // columns 0 1 4 5 | 2 3 6 7
          _mm256_hadd_epi32(four_columns(sums, taps, x), four_columns(sums, taps, x + 4));
      sum = _mm256_permute4x64_epi64(pairs, 0xD8);
    } else {
      sum = eight_columns(sums, taps, x);
    }
    const __m256i words =
        _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(kHalf)), kShift);
    const __m128i eight =
        _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + x), _mm_packus_epi16(eight, eight));
  }
  columns_from(x, sums, taps, width, out);
}

}  // namespace
}  // namespace roadmask::kernels
