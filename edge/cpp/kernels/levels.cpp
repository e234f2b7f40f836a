#include "kernels/levels.hpp"

#include <algorithm>
#include <atomic>

namespace roadmask::kernels {
namespace {

std::atomic<Level>& current() {
  static std::atomic<Level> level{available_levels().back()};
  return level;
}

}  // namespace

const char* name(Level level) {
  switch (level) {
    case Level::neon: return "neon";
    case Level::avx2: return "avx2";
    case Level::avx512: return "avx512";
    default: return "scalar";
  }
}

std::vector<Level> available_levels() {
  std::vector<Level> levels{Level::scalar};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2")) {
    levels.push_back(Level::avx2);
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq"))
      levels.push_back(Level::avx512);
  }
#elif defined(__aarch64__)
  levels.push_back(Level::neon);
#endif
  return levels;
}

Level level() { return current().load(std::memory_order_relaxed); }

bool set_level(Level level) {
  const std::vector<Level> levels = available_levels();
  if (std::find(levels.begin(), levels.end(), level) == levels.end()) return false;
  current().store(level, std::memory_order_relaxed);
  return true;
}

}  // namespace roadmask::kernels
