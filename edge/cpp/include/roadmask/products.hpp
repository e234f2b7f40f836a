// The road in metres: what a mask and the camera's place in the vehicle say together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <roadmask/subscriber.hpp>

namespace roadmask::products {

// A pinhole with radial distortion over a flat road. Pixels count from the centre of the first.
// The camera looks down by `pitch_deg`, right by `yaw_deg`, and leans right by `roll_deg`.
struct Geometry {
  double width = 0, height = 0;           // of the camera's picture, px
  double fx = 0, fy = 0, cx = 0, cy = 0;  // focal lengths and centre, px
  double k1 = 0, k2 = 0;                  // of the radius: 1 + k1 r^2 + k2 r^4
  double height_m = 0;                    // above the road
  double pitch_deg = 0, roll_deg = 0, yaw_deg = 0;
  double pitch_uncertainty_deg = 0;  // the true pitch is no further off
};

struct Limits {
  double farthest_m = 60;
  double corridor_m = std::numeric_limits<double>::infinity();  // full width, straight ahead
};

// How a mask lies in the camera's picture; see FrameHeader.
struct Transform {
  double camera_width, camera_height, scale_x, scale_y, offset_x, offset_y;
};

// Why nothing can be measured.
enum class Fault : std::uint8_t {
  NONE,
  NOT_FINITE,
  SIZE,
  FOCAL,
  CENTRE,
  DISTORTION,
  HEIGHT,
  UPSIDE_DOWN,
  ANGLE,
  UNCERTAINTY,
  HORIZON,
  LIMITS,
  CAMERA_SIZE,
  TRANSFORM,
  MASK_SIZE
};
const char* to_string(Fault fault) noexcept;

// Why a column's free distance ends where it does. NOT_SEEN has no distance.
enum class End : std::uint8_t {
  NOT_SEEN,  // no pixel shows the ground within the limits
  OBSTACLE,  // a pixel that is not flat
  NEAR,      // the same, in the nearest row that is seen: nothing is known to be free
  RANGE,     // free up to farthest_m
  CORRIDOR,  // free up to the corridor's side
  HORIZON,   // free as far as rows show the ground
  PICTURE    // free up to the mask's edge
};
const char* to_string(End end) noexcept;

struct Column {
  double distance_m;     // forward from the camera's foot; NaN where NOT_SEEN
  double low_m, high_m;  // one mask row and the pitch's uncertainty to either side; high may be inf
  std::uint8_t category;  // of the pixel that ended it
  End end;
};

// Why the geometry cannot be used with masks that lie so.
Fault check(const Geometry& geometry, const Limits& limits, const Transform& transform) noexcept;

// Metres of flat road ahead, for each column of a mask. Any pixel that is not flat ends it, void
// too; nothing is averaged. Allocates in the first call and when the masks' size changes. Not for
// several threads at a time.
class FreeDistance {
 public:
  explicit FreeDistance(const Geometry& geometry, const Limits& limits = {})
      : geometry_(geometry), limits_(limits) {}

  // Why there are no columns, else NONE.
  Fault measure(const Mask& mask);
  Fault measure(const std::uint8_t* pixels, std::size_t stride, std::uint32_t width,
                std::uint32_t height, const Transform& transform);
  // Empty after a fault.
  const std::vector<Column>& columns() const noexcept { return columns_; }
  // The column whose low_m is the least; NOT_SEEN if none is seen, or if no row shows both sides of
  // the corridor: what is free in a part of it says nothing.
  Column nearest() const noexcept;

 private:
  struct Edge {
    double forward_m, low_m, high_m, right_m;  // NaN: not the ground
    bool inside;
  };
  struct Turn {
    double sine, cosine;
  };
  Edge edge(double x_px, double y_px) const noexcept;
  void prepare();
  bool covered(std::uint32_t edge) const noexcept;
  void plan(std::uint32_t column);
  Column column(std::uint32_t column, int row) const noexcept;

  Geometry geometry_;
  Limits limits_;
  Transform transform_{};
  std::uint32_t width_ = 0, height_ = 0;
  bool prepared_ = false, covered_ = false;
  double undistorted_ = 0;  // squared radius up to which the distortion has one answer
  Turn roll_{}, yaw_{}, pitch_{}, lower_{}, upper_{};
  std::vector<Edge> edges_;  // (height + 1, width): lower edges of the rows, the topmost first
  std::vector<std::int32_t> bottom_, top_, stop_, hit_;
  std::vector<End> ends_;
  std::vector<Column> columns_;
};

}  // namespace roadmask::products
