#include "kernels/scene/body.hpp"

namespace roadmask::kernels {

const SceneOps scene_neon = {luma_row, sum_row, laplacian_row, hash_words};

}  // namespace roadmask::kernels
