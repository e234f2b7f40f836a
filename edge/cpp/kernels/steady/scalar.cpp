#include "kernels/steady/body.hpp"

namespace roadmask::kernels {

const SteadyBlock steady_scalar = steady_block;

}  // namespace roadmask::kernels
