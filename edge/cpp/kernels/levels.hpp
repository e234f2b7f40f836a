// The instruction sets that the kernels are built for, and the one in use.
#pragma once

#include <vector>

namespace roadmask::kernels {

enum class Level { scalar, neon, avx2, avx512 };

const char* name(Level level);
// What this build holds and this processor runs, slowest first; scalar always.
std::vector<Level> available_levels();
Level level();
// For tests. False, and nothing changes, when the level is not available.
bool set_level(Level level);

}  // namespace roadmask::kernels
