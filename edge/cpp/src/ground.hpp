// What each pixel of a mask shows of the road; stream/products/reference.py computes the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lens.hpp"
#include "roadmask/products.hpp"

namespace roadmask::products {

constexpr std::uint64_t kMostPixels = 1u << 23;  // of a mask: a plan takes 41 bytes for each

// Whether a camera pixel lies in the ego mask's polygon; it has three corners at least.
bool in_ego(const Geometry& geometry, double x, double y) noexcept;

struct Turn {
  double sine = 0, cosine = 1;
};
Turn turn(double deg) noexcept;

// Where a ray meets the road, ahead of the camera's foot and to its right; NaN: nowhere.
struct Meet {
  double forward, right, depth;
};

// The geometry with its angles worked out.
class Road {
 public:
  explicit Road(const Geometry& geometry);
  Meet meet(const Ray& ray, const Turn& pitch) const noexcept;
  // Pixel of a point on the road.
  Spot spot(double forward, double right, const Turn& pitch) const noexcept;

  Geometry geometry;
  LensModel lens;
  Turn roll, yaw, pitch, lower, upper;  // lower: the pitch looks down by its uncertainty more
};

struct Ground {
  // The same answer as before costs nothing. `fresh`: it was worked out anew.
  Fault prepare(const Geometry& geometry, const Limits& limits, const Transform& transform,
                std::uint32_t width, std::uint32_t height, bool& fresh);
  std::size_t at(std::uint32_t column, std::int64_t edge) const noexcept {
    return std::size_t{column} * (height + 1) + static_cast<std::size_t>(edge);
  }
  // Share of void, and of ids that no daemon writes, among the pixels that show the road.
  bool too_much_void(const std::uint8_t* pixels, std::size_t stride, double most) const noexcept;

  Geometry geometry;
  Transform transform{};
  std::uint32_t width = 0, height = 0;
  bool prepared = false;
  // (width, height + 1), column by column: lower edges of the rows, the topmost first.
  std::vector<double> forward, right;   // NaN: not the road
  std::vector<double> nearer, farther;  // times forward: with the pitch at the ends of its bounds
  std::vector<double> half_pixel;       // of a pixel's width, m
  std::vector<std::uint8_t> road;  // (height, width): 1 the road, 2 the same hidden by ourselves
  std::size_t road_pixels = 0;

 private:
  void work_out();
};

}  // namespace roadmask::products
