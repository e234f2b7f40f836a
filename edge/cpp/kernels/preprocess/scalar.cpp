// Preprocessing without intrinsics: what every processor runs and the other levels equal.
#include "kernels/preprocess/body.hpp"

namespace roadmask::kernels {
namespace {

void rows(const std::uint8_t* const* rows, const std::uint8_t* weights, int count, int bytes,
          std::int16_t* out) {
  rows_from(0, rows, weights, count, bytes, out);
}

void columns_bgr(const std::int16_t* sums, TapsView taps, int width, std::uint8_t* out) {
  columns_bgr_from(0, sums, taps, width, out);
}

void columns(const std::int16_t* sums, TapsView taps, int width, std::uint8_t* out) {
  columns_from(0, sums, taps, width, out);
}

}  // namespace

const PreprocessOps preprocess_scalar = {rows,        columns_bgr, columns,  split_any,
                                         colours_any, flip_any,    table_any};

}  // namespace roadmask::kernels
