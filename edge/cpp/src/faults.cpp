// What cannot be measured with, and its names.
#include <cmath>
#include <iterator>

#include "ground.hpp"

namespace roadmask::products {
namespace {

bool within(double value, double least, double most) { return value >= least && value <= most; }

bool horizon_is_seen(const Geometry& g) {
  const Turn pitch = turn(g.pitch_deg), roll = turn(g.roll_deg);
  const double y = -pitch.sine / pitch.cosine / roll.cosine;
  const double row = LensModel(g).spot(0, y, 1).y;
  return row > 0 && row < g.height - 1;
}

bool finite(const Geometry& g) {
  for (double value :
       {g.width, g.height, g.fx, g.fy, g.cx, g.cy, g.k1, g.k2, g.height_m, g.pitch_deg, g.roll_deg,
        g.yaw_deg, g.pitch_uncertainty_deg, g.k3, g.k4, g.p1, g.p2})
    if (!std::isfinite(value)) return false;
  return true;
}

bool lens_is_possible(const Geometry& g) {
  for (double k : {g.k1, g.k2, g.k3, g.k4})
    if (!within(k, -100, 100)) return false;
  for (double p : {g.p1, g.p2})
    if (!within(p, -0.1, 0.1)) return false;
  return g.lens == Lens::FISHEYE ? g.p1 == 0 && g.p2 == 0 : g.k4 == 0;
}

Fault geometry_fault(const Geometry& g) {
  if (g.lens != Lens::PINHOLE && g.lens != Lens::FISHEYE) return Fault::LENS;
  if (!finite(g)) return Fault::NOT_FINITE;
  if (!within(g.width, 1, 65535) || !within(g.height, 1, 65535)) return Fault::SIZE;
  if (!within(g.fx, g.width / 20, g.width * 100) || !within(g.fy, g.width / 20, g.width * 100))
    return Fault::FOCAL;
  if (!within(g.cx, 0, g.width - 1) || !within(g.cy, 0, g.height - 1)) return Fault::CENTRE;
  if (!lens_is_possible(g)) return Fault::DISTORTION;
  if (!within(g.height_m, 0.1, 20)) return Fault::HEIGHT;
  if (!within(g.roll_deg, -45, 45)) return Fault::UPSIDE_DOWN;
  if (!within(g.pitch_deg, -60, 60) || !within(g.yaw_deg, -60, 60)) return Fault::ANGLE;
  if (!within(g.pitch_uncertainty_deg, 0, 10)) return Fault::UNCERTAINTY;
  if (g.ego_points > g.ego.size() / 2) return Fault::EGO;
  return horizon_is_seen(g) ? Fault::NONE : Fault::HORIZON;
}

}  // namespace

const char* to_string(Fault fault) noexcept {
  constexpr const char* names[] = {"NONE",          "NOT_FINITE",  "SIZE",      "FOCAL",
                                   "CENTRE",        "DISTORTION",  "HEIGHT",    "UPSIDE_DOWN",
                                   "ANGLE",         "UNCERTAINTY", "HORIZON",   "LIMITS",
                                   "CAMERA_SIZE",   "TRANSFORM",   "MASK_SIZE", "UNKNOWN_GEOMETRY",
                                   "TOO_MUCH_VOID", "GRID",        "LENS",      "EGO"};
  const auto index = static_cast<std::size_t>(fault);
  return index < std::size(names) ? names[index] : "unknown";
}

const char* to_string(End end) noexcept {
  constexpr const char* names[] = {"NOT_SEEN", "OBSTACLE", "NEAR",   "RANGE",
                                   "CORRIDOR", "HORIZON",  "PICTURE"};
  const auto index = static_cast<std::size_t>(end);
  return index < std::size(names) ? names[index] : "unknown";
}

Fault check(const Geometry& geometry, const Limits& limits, const Transform& t) noexcept {
  const Fault fault = geometry_fault(geometry);
  if (fault != Fault::NONE) return fault;
  if (!within(limits.farthest_m, 0.1, 1000) || !(limits.corridor_m > 0) ||
      !within(limits.heading_deg, -60, 60) || !within(limits.most_void, 0, 1))
    return Fault::LIMITS;
  if (t.camera_width != geometry.width || t.camera_height != geometry.height)
    return Fault::CAMERA_SIZE;
  for (double scale : {t.scale_x, t.scale_y})
    if (!within(scale, 1e-3, 1e4)) return Fault::TRANSFORM;
  for (double offset : {t.offset_x, t.offset_y})
    if (!within(offset, -65536, 65536)) return Fault::TRANSFORM;
  return Fault::NONE;
}

}  // namespace roadmask::products
