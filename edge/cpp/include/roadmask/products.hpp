// The road in metres: what a mask and the camera's place in the vehicle say together.
//
// Each product is a class that is made once and measures mask after mask. It allocates in the first
// call and when the masks' size or place in the camera's picture changes, and is not for several
// threads at a time. The vehicle's frame: origin on the road below the camera, x forward, y left.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include <roadmask/geometry.hpp>
#include <roadmask/subscriber.hpp>

namespace roadmask::products {

using roadmask::Geometry;
using roadmask::Lens;

struct Limits {
  double farthest_m = 60;
  double corridor_m = std::numeric_limits<double>::infinity();  // full width
  double heading_deg = 0;  // of the corridor, to the right, -60 to 60
  double most_void = 0.5;  // share of the pixels that show the road: more is TOO_MUCH_VOID
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
  MASK_SIZE,
  UNKNOWN_GEOMETRY,  // the stream tells none
  TOO_MUCH_VOID,
  GRID,  // no grid of that many cells
  LENS,
  EGO  // more corners than 32
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
  double distance_m;     // along the heading from the camera's foot; NaN where NOT_SEEN
  double low_m, high_m;  // one mask row and the pitch's uncertainty to either side; high may be inf
  std::uint8_t category;  // of the pixel that ended it
  End end;
};

// Why the geometry cannot be used with masks that lie so.
Fault check(const Geometry& geometry, const Limits& limits, const Transform& transform) noexcept;

struct Ground;  // what each pixel shows of the road
class Road;     // the geometry with its angles worked out

// The geometry that a stream tells, read anew only where its entry changes.
class StreamGeometry {
 public:
  // False where it is not told.
  bool read(const Mask& mask, Geometry& geometry, bool& changed);

 private:
  std::uint64_t stream_id_ = 0;
  std::uint8_t entry_ = 0, ego_ = 0;
  bool known_ = false;
};

// Metres of flat road ahead, for each column of a mask. Any pixel that is not flat ends it, void
// too; nothing is averaged.
class FreeDistance {
 public:
  // With the geometry that each mask's stream tells.
  explicit FreeDistance(const Limits& limits = {});
  explicit FreeDistance(const Geometry& geometry, const Limits& limits = {});
  ~FreeDistance();
  FreeDistance(FreeDistance&&) noexcept;
  FreeDistance& operator=(FreeDistance&&) noexcept;

  // Why there are no columns, else NONE.
  Fault measure(const Mask& mask);
  Fault measure(const std::uint8_t* pixels, std::size_t stride, std::uint32_t width,
                std::uint32_t height, const Transform& transform);
  // Another corridor from the next mask on: cheap, the ground stays.
  void aim(double corridor_m, double heading_deg) noexcept;
  // Empty after a fault.
  const std::vector<Column>& columns() const noexcept { return columns_; }
  // The column whose low_m is the least; NOT_SEEN if none is seen, or if no row shows both sides of
  // the corridor: what is free in a part of it says nothing.
  Column nearest() const noexcept;

 private:
  void plan();
  void plan(std::uint32_t column);
  bool covered(std::uint32_t edge) const noexcept;
  double along(std::size_t at) const noexcept;
  double across(std::size_t at) const noexcept;
  bool inside(std::size_t at) const noexcept;
  Column column(std::uint32_t column, int row) const noexcept;

  std::optional<Geometry> geometry_;
  StreamGeometry stream_;
  Limits limits_;
  std::unique_ptr<Ground> ground_;
  double sine_ = 0, cosine_ = 1;
  bool told_ = false, planned_ = false, covered_ = false;
  std::vector<std::int32_t> bottom_, top_, stop_, hit_;
  std::vector<End> ends_;
  std::vector<Column> columns_;
};

// The corridor that a vehicle of a given width and heading would take, and when it was seen.
struct Path {
  Column ahead{};  // see FreeDistance::nearest
  double width_m = 0, heading_deg = 0;
  std::uint64_t capture_ns = 0, valid_until_ns = 0;  // CLOCK_BOOTTIME
  // What is surely free, up to ahead.low_m: x, y of near left, near right, far right, far left.
  std::array<double, 8> corners_m{};
};

class Corridor {
 public:
  explicit Corridor(double farthest_m = 60, double most_void = 0.5);
  explicit Corridor(const Geometry& geometry, double farthest_m = 60, double most_void = 0.5);

  Fault measure(const Mask& mask, double width_m, double heading_deg = 0);
  Fault measure(const std::uint8_t* pixels, std::size_t stride, std::uint32_t width,
                std::uint32_t height, const Transform& transform, double width_m,
                double heading_deg, std::uint64_t capture_ns, std::uint64_t valid_until_ns);
  // Of the last mask; after a fault its end is NOT_SEEN.
  const Path& path() const noexcept { return path_; }

 private:
  Fault tell(Fault fault, double width_m, double heading_deg, std::uint64_t capture_ns,
             std::uint64_t valid_until_ns);
  FreeDistance free_;
  Path path_;
};

// Squares of the road, rows from the vehicle on, columns from left to right.
struct GridForm {
  double cell_m = 0.25;  // side of a square, 0.05 to 5
  double ahead_m = 40;   // from the camera's foot
  double aside_m = 10;   // to either side
  double most_void = 0.5;
};

// Bird's-eye view. A cell is 1 where every pixel that may show it is flat, and so is the way there;
// 2 to 7 where something of that category may stand, humans and vehicles before all else; 0 where
// nothing is known: not in the picture, hidden, void, or one's own vehicle. "May": whatever the
// pitch is within its uncertainty.
class Occupancy {
 public:
  explicit Occupancy(const GridForm& form = {});
  explicit Occupancy(const Geometry& geometry, const GridForm& form = {});
  ~Occupancy();
  Occupancy(Occupancy&&) noexcept;
  Occupancy& operator=(Occupancy&&) noexcept;

  Fault measure(const Mask& mask);
  Fault measure(const std::uint8_t* pixels, std::size_t stride, std::uint32_t width,
                std::uint32_t height, const Transform& transform);
  // Row by row, the nearest first, each from left to right; empty after a fault.
  const std::vector<std::uint8_t>& cells() const noexcept { return cells_; }
  std::uint32_t rows() const noexcept { return rows_; }
  std::uint32_t columns() const noexcept { return columns_; }
  // Of each row: where along the road something that seems to stand in its middle may truly stand.
  const std::vector<double>& low_m() const noexcept { return low_m_; }
  const std::vector<double>& high_m() const noexcept { return high_m_; }

 private:
  struct Box {
    std::int16_t left, right, top, bottom;  // pixels that may show a cell; left > right: unseen
  };
  void plan();
  Box box(const Road& road, std::uint32_t row, std::uint32_t column) const noexcept;

  std::optional<Geometry> geometry_;
  StreamGeometry stream_;
  GridForm form_;
  std::unique_ptr<Ground> ground_;
  bool told_ = false;
  std::uint32_t rows_ = 0, columns_ = 0;
  std::vector<Box> boxes_;
  std::vector<std::int32_t> bottom_, hit_;
  std::vector<std::uint8_t> what_, cells_;
  std::vector<double> low_m_, high_m_;
};

struct Point {
  std::int32_t x, y;  // mask px
};

// The border of a connected region, or of a hole in it: the corners of a polygon through the
// centres of the region's own pixels.
struct Contour {
  bool hole;
  std::uint32_t first, count;  // among Contours::points
};

// Outlines of all regions of one category; pixels that touch at a corner belong together. A true
// edge lies half a mask pixel outside, where the mask is right. Needs no geometry but for the ego
// mask: what the camera sees of its own vehicle is left out. Takes memory where a mask has more
// outline than any before.
class Contours {
 public:
  // With the ego mask that each mask's stream tells, if it tells one.
  Contours();
  explicit Contours(const Geometry& geometry);

  // `category`: 1 to 7, else LIMITS.
  Fault measure(const Mask& mask, std::uint8_t category);
  Fault measure(const std::uint8_t* pixels, std::size_t stride, std::uint32_t width,
                std::uint32_t height, const Transform& transform, std::uint8_t category);
  // By their topmost, then leftmost pixel; empty after a fault.
  const std::vector<Contour>& contours() const noexcept { return contours_; }
  const std::vector<Point>& points() const noexcept { return points_; }
  const std::vector<double>& camera_px() const noexcept { return camera_px_; }  // x, y of each

 private:
  void hide(std::uint32_t width, std::uint32_t height, const Transform& transform);
  void scan(std::uint32_t y);
  void follow(Point start, bool hole);

  std::optional<Geometry> geometry_;
  StreamGeometry stream_;
  bool told_ = false;
  std::uint32_t width_ = 0, own_width_ = 0;
  Geometry own_of_{};
  std::array<double, 4> own_at_{};
  std::vector<std::uint8_t> marks_, own_;
  std::vector<Contour> contours_;
  std::vector<Point> points_;
  std::vector<double> camera_px_;
};

}  // namespace roadmask::products
