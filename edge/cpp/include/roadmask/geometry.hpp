// The camera's lens and its place in the vehicle, as the stream carries them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace roadmask {

struct Identity;

enum class Lens : std::uint16_t { UNKNOWN, PINHOLE, FISHEYE };

// A camera over a flat road. Pixels count from the centre of the first. The camera looks down by
// `pitch_deg`, right by `yaw_deg`, and leans right by `roll_deg`. Distortion is as in OpenCV: of a
// pinhole k1 k2 k3 of the radius and p1 p2, of a fisheye k1 to k4 of the angle.
struct Geometry {
  double width = 0, height = 0;           // of the camera's picture, px
  double fx = 0, fy = 0, cx = 0, cy = 0;  // focal lengths and centre, px
  double k1 = 0, k2 = 0;
  double height_m = 0;  // above the road
  double pitch_deg = 0, roll_deg = 0, yaw_deg = 0;
  double pitch_uncertainty_deg = 0;  // the true pitch is no further off
  double k3 = 0, k4 = 0, p1 = 0, p2 = 0;
  Lens lens = Lens::PINHOLE;
  // Corners of what the camera sees of its own vehicle, camera px: x, y, x, y, ...
  std::array<std::uint16_t, 64> ego{};
  std::size_t ego_points = 0;  // at most 32; under 3 there is none
};

// What a stream's entries say; nothing where the first is no geometry, or its numbers are not told.
std::optional<Geometry> geometry_of(const Identity& geometry, const Identity* ego = nullptr);

}  // namespace roadmask
