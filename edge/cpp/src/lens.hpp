// Pixels to rays and back. stream/products/reference.py computes the same to the last bit: keep the
// order of operations.
#pragma once

#include "roadmask/geometry.hpp"

namespace roadmask::products {

// Camera frame: x right, y down, z ahead. Of a pinhole z is 1, of a fisheye the length is 1.
struct Ray {
  double x, y, z;  // NaN: nothing is seen there
};

struct Spot {
  double x, y;  // px from the centre of the first pixel; NaN: not in any picture
};

class LensModel {
 public:
  explicit LensModel(const Geometry& geometry) noexcept;
  Ray ray(double x_px, double y_px) const noexcept;
  Spot spot(double x, double y, double z) const noexcept;

 private:
  Ray pinhole(double xd, double yd) const noexcept;
  Ray fisheye(double xd, double yd) const noexcept;
  double end_of_domain() const noexcept;
  double slope(double at) const noexcept;

  Geometry g_;
  bool straight_;  // no distortion
  double domain_;  // radius, or angle, from which the distortion has two answers
};

}  // namespace roadmask::products
