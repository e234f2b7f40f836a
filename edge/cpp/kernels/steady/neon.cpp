#include "kernels/steady/body.hpp"

namespace roadmask::kernels {

const SteadyBlock steady_neon = steady_block;

}  // namespace roadmask::kernels
