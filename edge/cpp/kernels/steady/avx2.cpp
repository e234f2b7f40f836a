#include "kernels/steady/body.hpp"

namespace roadmask::kernels {

const SteadyBlock steady_avx2 = steady_block;

}  // namespace roadmask::kernels
