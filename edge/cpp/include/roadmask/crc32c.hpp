// CRC-32C (Castagnoli, RFC 3720 B.4), with the processor's instruction where it has one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace roadmask {

// CRC-32C of `size` bytes; `crc` continues an earlier call.
std::uint32_t crc32c(const void* data, std::size_t size, std::uint32_t crc = 0) noexcept;

// The same by table: what the fast path is tested against.
std::uint32_t crc32c_table(const void* data, std::size_t size, std::uint32_t crc = 0) noexcept;

}  // namespace roadmask
