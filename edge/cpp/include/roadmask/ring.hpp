// The ring's memory ordering: one writer, readers that may be lapped at any moment.
//
// Every slot has a 64-bit generation: 0 while the writer is in the slot, else the sequence number
// of the frame that lies there. A reader that finds the same generation before and after its copy
// has a whole frame. tests/spin/ring.pml is the model of these four functions.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace roadmask::ring {

using Generation = std::atomic<std::uint64_t>;
static_assert(sizeof(Generation) == 8 && Generation::is_always_lock_free,
              "generations are shared between processes: a 64-bit load must be one instruction");

// Take the slot away from its readers. The full fence is needed: a release store does not hold
// back *later* stores, so an ARM core could show new pixels under the old generation.
inline void begin(Generation& generation) noexcept {
  generation.store(0, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

// Hand the slot to the readers: everything written before is visible to who sees `sequence`.
inline void commit(Generation& generation, std::uint64_t sequence) noexcept {
  generation.store(sequence, std::memory_order_release);
}

// Before the first byte is read.
inline bool holds(const Generation& generation, std::uint64_t sequence) noexcept {
  return generation.load(std::memory_order_acquire) == sequence;
}

// After the last byte was read: true if nothing of it can have been overwritten meanwhile. The
// load is an acquire for who reads on, in a view that is used and asked again and again.
inline bool still_holds(const Generation& generation, std::uint64_t sequence) noexcept {
  std::atomic_thread_fence(std::memory_order_acquire);
  return generation.load(std::memory_order_acquire) == sequence;
}

// Copy `rows` rows out of a slot. Returns false, and `out` is garbage, if the slot does not hold
// the frame `sequence` from beginning to end.
inline bool read(const Generation& generation, std::uint64_t sequence, const std::uint8_t* source,
                 std::size_t stride, std::uint8_t* out, std::size_t row_bytes,
                 std::size_t rows) noexcept {
  if (!holds(generation, sequence)) return false;
  if (stride == row_bytes) {
    std::memcpy(out, source, row_bytes * rows);
  } else {
    for (std::size_t row = 0; row < rows; ++row)
      std::memcpy(out + row * row_bytes, source + row * stride, row_bytes);
  }
  return still_holds(generation, sequence);
}

}  // namespace roadmask::ring
