#include "kernels/levels.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace roadmask::kernels {
namespace {

#if defined(__x86_64__)
// Asked of the processor itself: what stands behind __builtin_cpu_supports is the compiler's own
// library, and that of Zig 0.17 says no to everything.
class Processor {
 public:
  Processor() {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & kOsxsave)) return;
    std::uint32_t low = 0, high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    kept_ = low;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) has_ = ebx;
  }

  bool avx2() const { return holds(kYmm, bit_AVX2); }

  bool avx512() const {
    return holds(kZmm, bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ);
  }

 private:
  static constexpr unsigned kOsxsave = 1u << 27;
  // Registers that the system keeps for each thread: XMM, YMM; the masks and both parts of ZMM.
  static constexpr unsigned kYmm = 0x6, kZmm = 0xe6;

  bool holds(unsigned registers, unsigned features) const {
    return (kept_ & registers) == registers && (has_ & features) == features;
  }

  unsigned kept_ = 0, has_ = 0;
};
#endif

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
  const Processor processor;
  if (processor.avx2()) {
    levels.push_back(Level::avx2);
    if (processor.avx512()) levels.push_back(Level::avx512);
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
