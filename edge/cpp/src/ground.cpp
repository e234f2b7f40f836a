#include "ground.hpp"

#include <cmath>
#include <cstring>
#include <limits>

namespace roadmask::products {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kRadians = 3.14159265358979323846 / 180.0;

bool same(const Transform& a, const Transform& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace

// By the crossings of a ray to the right.
bool in_ego(const Geometry& g, double x, double y) noexcept {
  bool odd = false;
  for (std::size_t i = 0, j = g.ego_points - 1; i < g.ego_points; j = i++) {
    const double xi = g.ego[2 * i], yi = g.ego[2 * i + 1];
    const double xj = g.ego[2 * j], yj = g.ego[2 * j + 1];
    if ((yi > y) != (yj > y) && x < (xj - xi) * (y - yi) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}

Turn turn(double deg) noexcept { return {std::sin(deg * kRadians), std::cos(deg * kRadians)}; }

Road::Road(const Geometry& g)
    : geometry(g),
      lens(g),
      roll(turn(g.roll_deg)),
      yaw(turn(g.yaw_deg)),
      pitch(turn(g.pitch_deg)),
      lower(turn(g.pitch_deg + g.pitch_uncertainty_deg)),
      upper(turn(g.pitch_deg - g.pitch_uncertainty_deg)) {}

Meet Road::meet(const Ray& ray, const Turn& p) const noexcept {
  const double x1 = roll.cosine * ray.x - roll.sine * ray.y;
  const double y1 = roll.sine * ray.x + roll.cosine * ray.y;
  const double down = p.cosine * y1 + p.sine * ray.z;
  const double z2 = p.cosine * ray.z - p.sine * y1;
  if (!(down > 0)) return {kNaN, kNaN, kNaN};
  const double depth = geometry.height_m / down;
  const double right = depth * (yaw.cosine * x1 + yaw.sine * z2);
  const double z = depth * (yaw.cosine * z2 - yaw.sine * x1);
  return {z > 0 ? z : kNaN, right, depth};
}

Spot Road::spot(double forward, double right, const Turn& p) const noexcept {
  const double x1 = yaw.cosine * right - yaw.sine * forward;
  const double z2 = yaw.sine * right + yaw.cosine * forward;
  const double y1 = p.cosine * geometry.height_m - p.sine * z2;
  const double z = p.sine * geometry.height_m + p.cosine * z2;
  return lens.spot(roll.cosine * x1 + roll.sine * y1, roll.cosine * y1 - roll.sine * x1, z);
}

Fault Ground::prepare(const Geometry& g, const Limits& limits, const Transform& t, std::uint32_t w,
                      std::uint32_t h, bool& fresh) {
  fresh = false;
  const Fault fault = check(g, limits, t);
  if (fault != Fault::NONE) return fault;
  if (w == 0 || h == 0 || w > 32767 || h > 32767 || std::uint64_t{w} * h > kMostPixels)
    return Fault::MASK_SIZE;
  if (prepared && w == width && h == height && same(t, transform)) return Fault::NONE;
  prepared = false;  // also if there is no memory for it
  geometry = g, transform = t, width = w, height = h;
  work_out();
  prepared = fresh = true;
  return Fault::NONE;
}

void Ground::work_out() {
  const Road here(geometry);
  const std::size_t edges = std::size_t{width} * (height + 1);
  for (auto* values : {&forward, &right, &nearer, &farther, &half_pixel}) values->resize(edges);
  road.assign(std::size_t{width} * height, 0);
  road_pixels = 0;
  for (std::uint32_t c = 0; c < width; ++c) {
    const double x_px = transform.scale_x * c + transform.offset_x;
    for (std::uint32_t e = 0; e <= height; ++e) {
      const double y_px = transform.scale_y * (e - 0.5) + transform.offset_y;
      const Ray ray = here.lens.ray(x_px, y_px);
      const Meet meet = here.meet(ray, here.pitch);
      const std::size_t i = at(c, e);
      forward[i] = meet.forward;
      right[i] = meet.right;
      nearer[i] = here.meet(ray, here.lower).forward / meet.forward;
      farther[i] = here.meet(ray, here.upper).forward / meet.forward;
      half_pixel[i] = meet.depth * (transform.scale_x / geometry.fx) / 2;
      if (e == 0 || std::isnan(meet.forward)) continue;
      const bool own = geometry.ego_points >= 3 &&
                       in_ego(geometry, x_px, transform.scale_y * (e - 1.0) + transform.offset_y);
      road[std::size_t{e - 1} * width + c] = own ? 2 : 1;
      road_pixels += !own;
    }
  }
}

bool Ground::too_much_void(const std::uint8_t* pixels, std::size_t stride,
                           double most) const noexcept {
  std::size_t found = 0;
  for (std::uint32_t row = 0; row < height; ++row) {
    const std::uint8_t* ids = pixels + row * stride;
    const std::uint8_t* shown = road.data() + std::size_t{row} * width;
    std::uint32_t here = 0;
    for (std::uint32_t c = 0; c < width; ++c)
      here +=
          static_cast<std::uint32_t>((static_cast<std::uint8_t>(ids[c] - 1) > 6) & (shown[c] == 1));
    found += here;
  }
  return static_cast<double>(found) > most * static_cast<double>(road_pixels);
}

}  // namespace roadmask::products
