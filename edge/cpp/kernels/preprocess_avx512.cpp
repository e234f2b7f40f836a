// Preprocessing with avx512.
#include "kernels/preprocess_body.hpp"

namespace roadmask::kernels {

const PreprocessOps preprocess_avx512 = {rows_any, columns_bgr_any, columns_any, colours_any,
                                         table_any};

}  // namespace roadmask::kernels
