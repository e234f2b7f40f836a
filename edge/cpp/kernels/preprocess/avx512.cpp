// Preprocessing with AVX-512 (BW, VL): rows by 64 bytes, columns by windows of 64 sums.
#include "kernels/preprocess/colours_x86.hpp"
#include "kernels/preprocess/x86.hpp"

namespace roadmask::kernels {
namespace {

inline void rows_64(const std::uint8_t* const* rows, const std::uint8_t* weights, int count, int x,
                    std::int16_t* out) {
  const __m512i flip = _mm512_set1_epi8(-128);
  __m512i low = _mm512_setzero_si512(), high = low;
  for (int i = 0; i < count; i += 2) {
    const __m512i a = _mm512_xor_si512(_mm512_loadu_si512(rows[i] + x), flip);
    const __m512i b = _mm512_xor_si512(_mm512_loadu_si512(rows[i + 1] + x), flip);
    const __m512i w =
        _mm512_set1_epi16(static_cast<std::int16_t>(weights[i] | weights[i + 1] << 8));
    low = _mm512_add_epi16(low, _mm512_maddubs_epi16(w, _mm512_unpacklo_epi8(a, b)));
    high = _mm512_add_epi16(high, _mm512_maddubs_epi16(w, _mm512_unpackhi_epi8(a, b)));
  }
  // Unpacking works within 16 bytes: bring the quarters back in order.
  const __m512i first = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
  const __m512i second = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  _mm512_storeu_si512(out + x, _mm512_permutex2var_epi64(low, first, high));
  _mm512_storeu_si512(out + x + 32, _mm512_permutex2var_epi64(low, second, high));
}

void rows(const std::uint8_t* const* rows, const std::uint8_t* weights, int count, int bytes,
          std::int16_t* out) {
  if (bytes < 64) return rows_avx2(rows, weights, count, bytes, out);
  const auto all = [&](int n) __attribute__((always_inline)) {
    for (int x = 0; x + 64 <= bytes; x += 64) rows_64(rows, weights, n, x, out);
    if (bytes % 64) rows_64(rows, weights, n, bytes - 64, out);
  };
  if (count == 2) return all(2);
  if (count == 4) return all(4);
  all(count);
}

// 16 results at a time: a window of 64 sums, from which each lane takes its pair of taps.
void windows(const std::int16_t* sums, TapsView taps, int results, std::uint8_t* out) {
  const WindowsView& w = *taps.windows;
  const int pairs = taps.count / 2;
  const std::int16_t* weights = w.weights;
  Fetcher fetcher(taps.ahead, (results + 15) / 16);
  for (int block = 0; 16 * block < results; ++block) {
    fetcher.next();
    const std::int16_t* from = sums + w.start[block];
    const __m512i index = _mm512_loadu_si512(w.index + 32 * static_cast<std::ptrdiff_t>(block));
    __m512i sum = _mm512_set1_epi32(kHalf);
    for (int p = 0; p < pairs; ++p, from += 2 * w.stride, weights += 32) {
      const __m512i taken =
          _mm512_permutex2var_epi16(_mm512_loadu_si512(from), index, _mm512_loadu_si512(from + 32));
      sum = _mm512_add_epi32(sum, _mm512_madd_epi16(taken, _mm512_loadu_si512(weights)));
    }
    const int left = results - 16 * block;
    const __mmask16 valid = static_cast<__mmask16>(left >= 16 ? 0xFFFF : (1 << left) - 1);
    _mm512_mask_cvtepi32_storeu_epi8(out + 16 * block, valid, _mm512_srai_epi32(sum, kShift));
  }
}

void columns_bgr(const std::int16_t* sums, TapsView taps, int width, std::uint8_t* out) {
  if (!taps.windows) return columns_bgr_avx2(sums, taps, width, out);
  windows(sums, taps, 3 * width, out);
}

void columns(const std::int16_t* sums, TapsView taps, int width, std::uint8_t* out) {
  if (!taps.windows) return columns_avx2(sums, taps, width, out);
  windows(sums, taps, width, out);
}

}  // namespace

const PreprocessOps preprocess_avx512 = {rows,         columns_bgr, columns,  split_any,
                                         colours_avx2, flip_any,    table_any};

}  // namespace roadmask::kernels
