#include "roadmask/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

namespace roadmask {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected 0x1EDC6F41

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    table[byte] = crc;
  }
  return table;
}
constexpr auto kTable = make_table();

std::uint64_t load64(const unsigned char* p) noexcept {
  std::uint64_t value;
  std::memcpy(&value, p, 8);
  return value;
}

#if defined(__x86_64__)
#if defined(__clang__)  // which does not count the instruction to SSE 4.2
#define ROADMASK_CRC_TARGET __attribute__((target("sse4.2,crc32")))
#else
#define ROADMASK_CRC_TARGET __attribute__((target("sse4.2")))
#endif
ROADMASK_CRC_TARGET inline std::uint32_t step8(std::uint32_t crc, std::uint64_t v) noexcept {
  return static_cast<std::uint32_t>(_mm_crc32_u64(crc, v));
}
ROADMASK_CRC_TARGET inline std::uint32_t step1(std::uint32_t crc, unsigned char v) noexcept {
  return _mm_crc32_u8(crc, v);
}
// Not __builtin_cpu_supports: Zig's library behind it says no to everything.
bool has_instruction() noexcept {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_SSE4_2);
}
#elif defined(__aarch64__)
#if defined(__clang__)
#define ROADMASK_CRC_TARGET __attribute__((target("crc")))
#define ROADMASK_CRC_8 __builtin_arm_crc32cd
#define ROADMASK_CRC_1 __builtin_arm_crc32cb
#else
#define ROADMASK_CRC_TARGET __attribute__((target("+crc")))
#define ROADMASK_CRC_8 __builtin_aarch64_crc32cx
#define ROADMASK_CRC_1 __builtin_aarch64_crc32cb
#endif
ROADMASK_CRC_TARGET inline std::uint32_t step8(std::uint32_t crc, std::uint64_t v) noexcept {
  return ROADMASK_CRC_8(crc, v);
}
ROADMASK_CRC_TARGET inline std::uint32_t step1(std::uint32_t crc, unsigned char v) noexcept {
  return ROADMASK_CRC_1(crc, v);
}
bool has_instruction() noexcept { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#endif

#ifdef ROADMASK_CRC_TARGET
ROADMASK_CRC_TARGET std::uint32_t crc32c_instruction(const unsigned char* p, std::size_t size,
                                                     std::uint32_t crc) noexcept {
  crc = ~crc;
  for (; size >= 8; size -= 8, p += 8) crc = step8(crc, load64(p));
  for (; size > 0; --size, ++p) crc = step1(crc, *p);
  return ~crc;
}
#endif

}  // namespace

std::uint32_t crc32c_table(const void* data, std::size_t size, std::uint32_t crc) noexcept {
  const auto* p = static_cast<const unsigned char*>(data);
  crc = ~crc;
  for (; size > 0; --size, ++p) crc = (crc >> 8) ^ kTable[(crc ^ *p) & 0xFF];
  return ~crc;
}

std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t crc) noexcept {
#ifdef ROADMASK_CRC_TARGET
  static const bool instruction = has_instruction();
  if (instruction) return crc32c_instruction(static_cast<const unsigned char*>(data), size, crc);
#endif
  return crc32c_table(data, size, crc);
}

}  // namespace roadmask
