// The copy of a plane of category ids that looks at each on the way, at the price of the copy
// alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "roadmask/modes.hpp"
#include "roadmask/ring.hpp"

namespace roadmask {

// As ring::read; `ids` gets the bits that any id has.
bool read_ids(const ring::Generation& generation, std::uint64_t sequence,
              const std::uint8_t* source, std::size_t stride, std::uint8_t* out,
              std::size_t row_bytes, std::size_t rows, std::uint8_t& ids) noexcept;

// None of the ids is above 7.
inline bool are_categories(std::uint8_t ids) noexcept {
  static_assert((kCategories & (kCategories - 1)) == 0);
  return ids < kCategories;
}

}  // namespace roadmask
