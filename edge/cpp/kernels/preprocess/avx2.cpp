// Preprocessing with AVX2.
#include "kernels/preprocess/colours_x86.hpp"
#include "kernels/preprocess/x86.hpp"

namespace roadmask::kernels {

const PreprocessOps preprocess_avx2 = {rows_avx2,    columns_bgr_avx2, columns_avx2, split_any,
                                       colours_avx2, flip_any,         table_any};

}  // namespace roadmask::kernels
