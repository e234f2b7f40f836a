#include <cmath>

#include "ground.hpp"

namespace roadmask::products {

Transform transform_of(const Mask& mask);

Corridor::Corridor(double farthest_m, double most_void)
    : free_(Limits{farthest_m, std::numeric_limits<double>::infinity(), 0, most_void}) {}
Corridor::Corridor(const Geometry& geometry, double farthest_m, double most_void)
    : free_(geometry, Limits{farthest_m, std::numeric_limits<double>::infinity(), 0, most_void}) {}

Fault Corridor::measure(const Mask& mask, double width_m, double heading_deg) {
  free_.aim(width_m, heading_deg);
  return tell(free_.measure(mask), width_m, heading_deg, mask.capture_timestamp_ns(),
              mask.valid_until_ns());
}

Fault Corridor::measure(const std::uint8_t* pixels, std::size_t stride, std::uint32_t width,
                        std::uint32_t height, const Transform& transform, double width_m,
                        double heading_deg, std::uint64_t capture_ns,
                        std::uint64_t valid_until_ns) {
  free_.aim(width_m, heading_deg);
  return tell(free_.measure(pixels, stride, width, height, transform), width_m, heading_deg,
              capture_ns, valid_until_ns);
}

Fault Corridor::tell(Fault fault, double width_m, double heading_deg, std::uint64_t capture_ns,
                     std::uint64_t valid_until_ns) {
  path_ = {free_.nearest(), width_m, heading_deg, capture_ns, valid_until_ns, {}};
  if (path_.ahead.end == End::NOT_SEEN) return fault;
  const Turn heading = turn(heading_deg);
  const double half = width_m / 2;
  std::size_t i = 0;
  for (const auto& [along, left] :
       {std::array{0.0, half}, std::array{0.0, -half}, std::array{path_.ahead.low_m, -half},
        std::array{path_.ahead.low_m, half}}) {
    path_.corners_m[i++] = along * heading.cosine + left * heading.sine;
    path_.corners_m[i++] = left * heading.cosine - along * heading.sine;
  }
  return fault;
}

}  // namespace roadmask::products
