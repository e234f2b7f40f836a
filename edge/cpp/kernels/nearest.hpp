// Class ids of a network that ends in ArgMax → category mask of another size, nearest neighbour.
#pragma once

#include <cstdint>

#include "kernels/upsample/upsample.hpp"

namespace roadmask::kernels {

// `table` has `classes` entries, kUnknown among them; an id outside it is unknown too: void, and
// counted. Id: uint8, int32, int64.
template <class Id>
Filled nearest_map(const Id* ids, Size source, Plane mask, Size size, const std::uint8_t* table,
                   std::int64_t classes, Window columns, Window rows);

}  // namespace roadmask::kernels
