// stream/products/reference.py computes the same to the last bit: keep the order of operations.
#include "roadmask/products.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace roadmask::products {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kRadians = 3.14159265358979323846 / 180.0;
constexpr int kNewtonSteps = 12;
constexpr std::uint8_t kFlat = 1;
constexpr std::int32_t kNowhere = -2;
constexpr std::uint64_t kMostPixels = 1u << 23;  // of a mask: a plan takes 40 bytes for each

bool within(double value, double least, double most) { return value >= least && value <= most; }

// The smallest squared radius at which a growing radius no longer moves the pixel outwards.
double turning_point(double k1, double k2) {
  if (k2 == 0) return k1 < 0 ? -1 / (3 * k1) : kInfinity;
  const double root = 9 * k1 * k1 - 20 * k2;
  if (root < 0) return kInfinity;
  const double a = (-3 * k1 - std::sqrt(root)) / (10 * k2);
  const double b = (-3 * k1 + std::sqrt(root)) / (10 * k2);
  const double low = std::min(a, b), high = std::max(a, b);
  return low > 0 ? low : high > 0 ? high : kInfinity;
}

// Factor from a distorted radius to the true one; NaN where there is none.
double straightened(double radius, double k1, double k2, double turning) {
  double r = radius;
  for (int i = 0; i < kNewtonSteps; ++i) {
    const double u = r * r;
    r = r - (r * (1 + u * (k1 + u * k2)) - radius) / (1 + u * (3 * k1 + u * (5 * k2)));
  }
  const double u = r * r;
  const double miss = r * (1 + u * (k1 + u * k2)) - radius;
  if (!(r >= 0 && u < turning && std::fabs(miss) <= 1e-9)) return kNaN;
  return radius > 0 ? r / radius : 1.0;
}

bool horizon_is_seen(const Geometry& g) {
  const double pitch = g.pitch_deg * kRadians;
  const double y = -std::sin(pitch) / std::cos(pitch) / std::cos(g.roll_deg * kRadians);
  const double u = y * y;
  if (!(u < turning_point(g.k1, g.k2))) return false;
  const double row = g.cy + g.fy * (y * (1 + u * (g.k1 + u * g.k2)));
  return row > 0 && row < g.height - 1;
}

bool finite(const Geometry& g) {
  for (double value : {g.width, g.height, g.fx, g.fy, g.cx, g.cy, g.k1, g.k2, g.height_m,
                       g.pitch_deg, g.roll_deg, g.yaw_deg, g.pitch_uncertainty_deg})
    if (!std::isfinite(value)) return false;
  return true;
}

Fault geometry_fault(const Geometry& g) {
  if (!finite(g)) return Fault::NOT_FINITE;
  if (!within(g.width, 1, 65536) || !within(g.height, 1, 65536)) return Fault::SIZE;
  if (!within(g.fx, g.width / 20, g.width * 100) || !within(g.fy, g.width / 20, g.width * 100))
    return Fault::FOCAL;
  if (!within(g.cx, 0, g.width - 1) || !within(g.cy, 0, g.height - 1)) return Fault::CENTRE;
  if (!within(g.k1, -10, 10) || !within(g.k2, -10, 10)) return Fault::DISTORTION;
  if (!within(g.height_m, 0.1, 20)) return Fault::HEIGHT;
  if (!within(g.roll_deg, -45, 45)) return Fault::UPSIDE_DOWN;
  if (!within(g.pitch_deg, -60, 60) || !within(g.yaw_deg, -60, 60)) return Fault::ANGLE;
  if (!within(g.pitch_uncertainty_deg, 0, 10)) return Fault::UNCERTAINTY;
  return horizon_is_seen(g) ? Fault::NONE : Fault::HORIZON;
}

// To the bit: at the worst the tables are made once more.
bool same(const Transform& a, const Transform& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;  // NOLINT(bugprone-suspicious-memory-comparison)
}

}  // namespace

const char* to_string(Fault fault) noexcept {
  constexpr const char* names[] = {"NONE",        "NOT_FINITE",  "SIZE",     "FOCAL",
                                   "CENTRE",      "DISTORTION",  "HEIGHT",   "UPSIDE_DOWN",
                                   "ANGLE",       "UNCERTAINTY", "HORIZON",  "LIMITS",
                                   "CAMERA_SIZE", "TRANSFORM",   "MASK_SIZE"};
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
  if (!within(limits.farthest_m, 0.1, 1000) || !(limits.corridor_m > 0)) return Fault::LIMITS;
  if (t.camera_width != geometry.width || t.camera_height != geometry.height)
    return Fault::CAMERA_SIZE;
  for (double scale : {t.scale_x, t.scale_y})
    if (!within(scale, 1e-3, 1e4)) return Fault::TRANSFORM;
  for (double offset : {t.offset_x, t.offset_y})
    if (!within(offset, -65536, 65536)) return Fault::TRANSFORM;
  return Fault::NONE;
}

FreeDistance::Edge FreeDistance::edge(double x_px, double y_px) const noexcept {
  const Geometry& g = geometry_;
  const double xd = (x_px - g.cx) / g.fx, yd = (y_px - g.cy) / g.fy;
  const double factor = straightened(std::sqrt(xd * xd + yd * yd), g.k1, g.k2, undistorted_);
  const double x = xd * factor, y = yd * factor;
  const double x1 = roll_.cosine * x - roll_.sine * y;
  const double y1 = roll_.sine * x + roll_.cosine * y;
  double depth = kNaN, right = kNaN;
  const auto forward = [&](const Turn& pitch) {
    const double down = pitch.cosine * y1 + pitch.sine;
    const double z2 = pitch.cosine - pitch.sine * y1;
    if (!(down > 0)) return kNaN;
    depth = g.height_m / down;
    right = depth * (yaw_.cosine * x1 + yaw_.sine * z2);
    const double z = depth * (yaw_.cosine * z2 - yaw_.sine * x1);
    return z > 0 ? z : kNaN;
  };
  Edge edge{};
  edge.low_m = forward(lower_);
  edge.high_m = forward(upper_);
  edge.forward_m = forward(pitch_);
  edge.right_m = right;
  const double half_pixel = depth * (transform_.scale_x / g.fx) / 2;
  edge.inside = std::fabs(right) <= limits_.corridor_m / 2 + half_pixel;
  return edge;
}

void FreeDistance::prepare() {
  const auto turn = [](double deg) {
    return Turn{std::sin(deg * kRadians), std::cos(deg * kRadians)};
  };
  const Geometry& g = geometry_;
  undistorted_ = turning_point(g.k1, g.k2);
  roll_ = turn(g.roll_deg);
  yaw_ = turn(g.yaw_deg);
  pitch_ = turn(g.pitch_deg);
  lower_ = turn(g.pitch_deg + g.pitch_uncertainty_deg);
  upper_ = turn(g.pitch_deg - g.pitch_uncertainty_deg);
  edges_.resize(std::size_t{width_} * (height_ + 1));
  for (auto* rows : {&bottom_, &top_, &stop_, &hit_}) rows->resize(width_);
  ends_.resize(width_);
  columns_.reserve(width_);
  for (std::uint32_t e = 0; e <= height_; ++e)
    for (std::uint32_t c = 0; c < width_; ++c)
      edges_[std::size_t{e} * width_ + c] =
          edge(transform_.scale_x * c + transform_.offset_x,
               transform_.scale_y * (e - 0.5) + transform_.offset_y);
  for (std::uint32_t c = 0; c < width_; ++c) plan(c);
  covered_ = false;
  for (std::uint32_t e = 0; e <= height_ && !covered_; ++e) covered_ = covered(e);
}

// Whether the row's edge shows the corridor from side to side.
bool FreeDistance::covered(std::uint32_t e) const noexcept {
  const Edge& left = edges_[std::size_t{e} * width_];
  const Edge& right = edges_[std::size_t{e} * width_ + width_ - 1];
  const double half = limits_.corridor_m / 2;
  if (std::isinf(half)) return true;
  if (!(left.forward_m <= limits_.farthest_m && right.forward_m <= limits_.farthest_m))
    return false;
  return left.right_m <= -half && right.right_m >= half;
}

// Which rows of the column are looked at, and what ends it if all of them are flat.
void FreeDistance::plan(std::uint32_t c) {
  const auto lower = [&](int row) -> const Edge& {
    return edges_[static_cast<std::size_t>(row + 1) * width_ + c];
  };
  int row = static_cast<int>(height_) - 1;
  while (row >= 0 && lower(row).forward_m <= limits_.farthest_m && !lower(row).inside) --row;
  bottom_[c] = row;
  while (row >= 0 && lower(row).forward_m <= limits_.farthest_m && lower(row).inside) --row;
  top_[c] = row + 1;
  stop_[c] = row;
  if (row == bottom_[c]) {
    ends_[c] = End::NOT_SEEN;
  } else if (row < 0 && !std::isnan(lower(row).forward_m)) {
    ends_[c] = End::PICTURE;
  } else if (std::isnan(lower(row).forward_m)) {
    ends_[c] = End::HORIZON;
    stop_[c] = row + 1;
  } else {
    ends_[c] = lower(row).inside ? End::RANGE : End::CORRIDOR;
  }
  if (ends_[c] != End::HORIZON && ends_[c] != End::NOT_SEEN &&
      lower(stop_[c]).forward_m > limits_.farthest_m)
    ends_[c] = End::RANGE;
}

// What the column says if `row` is the first that is not free.
Column FreeDistance::column(std::uint32_t c, int row) const noexcept {
  const auto at = [&](int e) -> const Edge& {
    return edges_[static_cast<std::size_t>(e) * width_ + c];
  };
  const double low = at(std::min(row + 2, static_cast<int>(height_))).low_m;
  const double high = row >= 0 ? at(row).high_m : kNaN;
  const double distance = std::min(at(row + 1).forward_m, limits_.farthest_m);
  return {distance, std::isnan(low) ? 0.0 : std::min(low, distance),
          std::isnan(high) ? kInfinity : std::max(high, distance), kFlat, ends_[c]};
}

Fault FreeDistance::measure(const Mask& mask) {
  const FrameHeader& h = mask.header();
  return measure(mask.pixels(), mask.stride(), mask.width(), mask.height(),
                 {static_cast<double>(h.camera_width), static_cast<double>(h.camera_height),
                  h.scale_x, h.scale_y, h.offset_x, h.offset_y});
}

Fault FreeDistance::measure(const std::uint8_t* pixels, std::size_t stride, std::uint32_t width,
                            std::uint32_t height, const Transform& transform) {
  columns_.clear();
  const Fault fault = check(geometry_, limits_, transform);
  if (fault != Fault::NONE) return fault;
  if (width == 0 || height == 0 || std::uint64_t{width} * height > kMostPixels)
    return Fault::MASK_SIZE;
  if (!prepared_ || width != width_ || height != height_ || !same(transform, transform_)) {
    prepared_ = false;  // also if there is no memory for it
    transform_ = transform;
    height_ = height;
    width_ = width;
    prepare();
    prepared_ = true;
  }
  std::fill(hit_.begin(), hit_.end(), kNowhere);
  for (int row = static_cast<int>(height_) - 1; row >= 0; --row) {
    const std::uint8_t* ids = pixels + static_cast<std::size_t>(row) * stride;
    for (std::uint32_t c = 0; c < width_; ++c) {
      const bool ends = ids[c] != kFlat && row >= top_[c] && row <= bottom_[c];
      hit_[c] = ends && hit_[c] == kNowhere ? row : hit_[c];
    }
  }
  for (std::uint32_t c = 0; c < width_; ++c) {
    if (ends_[c] == End::NOT_SEEN) {
      columns_.push_back({kNaN, kNaN, kNaN, 0, End::NOT_SEEN});
      continue;
    }
    const int row = hit_[c];
    columns_.push_back(column(c, row == kNowhere ? stop_[c] : row));
    if (row == kNowhere) continue;
    Column& last = columns_.back();
    last.category = pixels[static_cast<std::size_t>(row) * stride + c];
    last.end = row == bottom_[c] ? End::NEAR : End::OBSTACLE;
    if (last.end == End::NEAR) last.distance_m = last.low_m = 0;
  }
  return Fault::NONE;
}

Column FreeDistance::nearest() const noexcept {
  Column found{kNaN, kNaN, kNaN, 0, End::NOT_SEEN};
  if (!covered_) return found;
  for (const Column& column : columns_) {
    // A free column that leaves the corridor says nothing about the road straight ahead.
    if (column.end == End::NOT_SEEN || column.end == End::CORRIDOR) continue;
    if (found.end == End::NOT_SEEN || column.low_m < found.low_m) found = column;
  }
  return found;
}

}  // namespace roadmask::products
