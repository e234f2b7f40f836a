// Preprocessing without intrinsics: what every processor runs and the other levels equal.
#include "kernels/preprocess_body.hpp"

namespace roadmask::kernels {

const PreprocessOps preprocess_scalar = {rows_any, columns_bgr_any, columns_any, colours_any,
                                         table_any};

}  // namespace roadmask::kernels
