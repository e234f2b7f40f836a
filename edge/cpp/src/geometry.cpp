#include "roadmask/geometry.hpp"

#include <algorithm>
#include <cstring>

#include "roadmask/protocol.hpp"

namespace roadmask {

std::optional<Geometry> geometry_of(const Identity& entry, const Identity* ego) {
  std::uint16_t head[4];
  double d[15];
  std::memcpy(head, entry.body.data(), sizeof head);
  std::memcpy(d, entry.body.data() + sizeof head, sizeof d);
  static_assert(sizeof head + sizeof d == 128);
  const auto lens = static_cast<Lens>(head[0]);
  if (entry.kind != IdentityKind::GEOMETRY || (lens != Lens::PINHOLE && lens != Lens::FISHEYE))
    return std::nullopt;
  Geometry g;
  g.lens = lens;
  g.width = head[1], g.height = head[2];
  g.fx = d[0], g.fy = d[1], g.cx = d[2], g.cy = d[3];
  g.k1 = d[4], g.k2 = d[5], g.k3 = d[6], g.k4 = d[7], g.p1 = d[8], g.p2 = d[9];
  g.height_m = d[10], g.pitch_deg = d[11], g.roll_deg = d[12], g.yaw_deg = d[13];
  g.pitch_uncertainty_deg = d[14];
  if (ego && ego->kind == IdentityKind::EGO) {
    g.ego_points = std::min<std::size_t>(ego->colors, g.ego.size() / 2);
    std::memcpy(g.ego.data(), ego->body.data(), 4 * g.ego_points);
  }
  return g;
}

}  // namespace roadmask
