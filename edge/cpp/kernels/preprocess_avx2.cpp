// Preprocessing with AVX2.
#include "kernels/preprocess_x86.hpp"

namespace roadmask::kernels {

const PreprocessOps preprocess_avx2 = {rows_avx2,   columns_bgr_avx2, columns_avx2,
                                       split2_any, colours_any,      flip_any,  table_any};

}  // namespace roadmask::kernels
