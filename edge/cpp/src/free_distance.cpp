// stream/products/reference.py computes the same to the last bit: keep the order of operations.
#include <algorithm>
#include <cmath>

#include "ground.hpp"

namespace roadmask::products {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::uint8_t kFlat = 1;
constexpr std::int32_t kNowhere = -2;

}  // namespace

bool StreamGeometry::read(const Mask& mask, Geometry& geometry, bool& changed) {
  const FrameHeader& h = mask.header();
  changed = h.stream_id != stream_id_ || h.geometry_entry != entry_ || h.ego_entry != ego_;
  if (!changed) return known_;
  stream_id_ = h.stream_id, entry_ = h.geometry_entry, ego_ = h.ego_entry;
  const std::optional<Geometry> told = mask.geometry();
  known_ = told.has_value();
  if (known_) geometry = *told;
  return known_;
}

Transform transform_of(const Mask& mask) {
  const FrameHeader& h = mask.header();
  return {static_cast<double>(h.camera_width),
          static_cast<double>(h.camera_height),
          h.scale_x,
          h.scale_y,
          h.offset_x,
          h.offset_y};
}

FreeDistance::FreeDistance(const Limits& limits)
    : limits_(limits), ground_(std::make_unique<Ground>()), told_(true) {}
FreeDistance::FreeDistance(const Geometry& geometry, const Limits& limits)
    : geometry_(geometry), limits_(limits), ground_(std::make_unique<Ground>()) {}
FreeDistance::~FreeDistance() = default;
FreeDistance::FreeDistance(FreeDistance&&) noexcept = default;
FreeDistance& FreeDistance::operator=(FreeDistance&&) noexcept = default;

void FreeDistance::aim(double corridor_m, double heading_deg) noexcept {
  if (limits_.corridor_m == corridor_m && limits_.heading_deg == heading_deg) return;
  limits_.corridor_m = corridor_m;
  limits_.heading_deg = heading_deg;
  planned_ = false;
}

double FreeDistance::along(std::size_t i) const noexcept {
  return ground_->forward[i] * cosine_ + ground_->right[i] * sine_;
}

double FreeDistance::across(std::size_t i) const noexcept {
  return ground_->right[i] * cosine_ - ground_->forward[i] * sine_;
}

// A pixel counts if half of its width reaches in, wherever the pitch's uncertainty puts it.
bool FreeDistance::inside(std::size_t i) const noexcept {
  const double least = std::fabs(across(i)) * std::min(ground_->nearer[i], 1.0);
  return least <= limits_.corridor_m / 2 + ground_->half_pixel[i];
}

void FreeDistance::plan() {
  const Turn heading = turn(limits_.heading_deg);
  sine_ = heading.sine, cosine_ = heading.cosine;
  for (auto* rows : {&bottom_, &top_, &stop_, &hit_}) rows->resize(ground_->width);
  ends_.resize(ground_->width);
  columns_.reserve(ground_->width);
  for (std::uint32_t c = 0; c < ground_->width; ++c) plan(c);
  covered_ = false;
  for (std::uint32_t e = 0; e <= ground_->height && !covered_; ++e) covered_ = covered(e);
}

// Whether the row's edge shows the corridor from side to side.
bool FreeDistance::covered(std::uint32_t e) const noexcept {
  const std::size_t left = ground_->at(0, e), right = ground_->at(ground_->width - 1, e);
  const double half = limits_.corridor_m / 2;
  if (std::isinf(half)) return true;
  if (!(along(left) <= limits_.farthest_m && along(right) <= limits_.farthest_m)) return false;
  return across(left) <= -half && across(right) >= half;
}

// Which rows of the column are looked at, and what ends it if all of them are flat.
void FreeDistance::plan(std::uint32_t c) {
  const auto near_enough = [&](int row) {
    return along(ground_->at(c, row + 1)) <= limits_.farthest_m;
  };
  const auto looked_at = [&](int row) { return inside(ground_->at(c, row + 1)); };
  const auto own = [&](int row) {
    return ground_->road[static_cast<std::size_t>(row) * ground_->width + c] == 2;
  };
  int row = static_cast<int>(ground_->height) - 1;
  while (row >= 0 && near_enough(row) && (!looked_at(row) || own(row))) --row;
  bottom_[c] = row;
  while (row >= 0 && near_enough(row) && looked_at(row)) --row;
  top_[c] = row + 1;
  stop_[c] = row;
  const double last = along(ground_->at(c, row + 1));
  if (row == bottom_[c]) {
    ends_[c] = End::NOT_SEEN;
  } else if (std::isnan(last)) {
    ends_[c] = End::HORIZON;
    stop_[c] = row + 1;
  } else if (last > limits_.farthest_m) {
    ends_[c] = End::RANGE;
  } else {
    ends_[c] = row < 0 ? End::PICTURE : End::CORRIDOR;
  }
}

// What the column says if `row` is the first that is not free.
Column FreeDistance::column(std::uint32_t c, int row) const noexcept {
  const std::size_t below = ground_->at(c, std::min(row + 2, static_cast<int>(ground_->height)));
  const double low = along(below) * ground_->nearer[below];
  const double high =
      row >= 0 ? along(ground_->at(c, row)) * ground_->farther[ground_->at(c, row)] : kNaN;
  const double distance = std::min(along(ground_->at(c, row + 1)), limits_.farthest_m);
  return {distance, std::isnan(low) ? 0.0 : std::min(low, distance),
          std::isnan(high) ? kInfinity : std::max(high, distance), kFlat, ends_[c]};
}

Fault FreeDistance::measure(const Mask& mask) {
  if (told_) {
    bool changed = false;
    Geometry told;
    if (!stream_.read(mask, told, changed))
      geometry_.reset();
    else if (changed)
      geometry_ = told, ground_->prepared = false;
  }
  return measure(mask.pixels(), mask.stride(), mask.width(), mask.height(), transform_of(mask));
}

Fault FreeDistance::measure(const std::uint8_t* pixels, std::size_t stride, std::uint32_t width,
                            std::uint32_t height, const Transform& transform) {
  columns_.clear();
  if (!geometry_) return Fault::UNKNOWN_GEOMETRY;
  bool fresh = false;
  const Fault fault = ground_->prepare(*geometry_, limits_, transform, width, height, fresh);
  if (fault != Fault::NONE) return fault;
  if (ground_->too_much_void(pixels, stride, limits_.most_void)) return Fault::TOO_MUCH_VOID;
  if (fresh || !planned_) {
    planned_ = false;
    plan();
    planned_ = true;
  }
  std::fill(hit_.begin(), hit_.end(), kNowhere);
  for (int row = static_cast<int>(height) - 1; row >= 0; --row) {
    const std::uint8_t* ids = pixels + static_cast<std::size_t>(row) * stride;
    const std::uint8_t* shown = ground_->road.data() + static_cast<std::size_t>(row) * width;
    for (std::uint32_t c = 0; c < width; ++c) {
      const bool ends =
          (ids[c] != kFlat) & (shown[c] != 2) & (row >= top_[c]) & (row <= bottom_[c]);
      hit_[c] = ends && hit_[c] == kNowhere ? row : hit_[c];
    }
  }
  for (std::uint32_t c = 0; c < width; ++c) {
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
