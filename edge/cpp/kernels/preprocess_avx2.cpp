// Preprocessing with avx2.
#include "kernels/preprocess_body.hpp"

namespace roadmask::kernels {

const PreprocessOps preprocess_avx2 = {rows_any, columns_bgr_any, columns_any, colours_any,
                                         table_any};

}  // namespace roadmask::kernels
