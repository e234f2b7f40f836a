// stream/products/reference.py computes the same: keep the order of operations.
#include <algorithm>
#include <cmath>

#include "ground.hpp"

namespace roadmask::products {

Transform transform_of(const Mask& mask);

namespace {

constexpr std::uint8_t kFlat = 1;
constexpr std::uint32_t kMostCells = 1u << 20;
// Of two things that may stand in a cell, the one of the higher rank is told.
constexpr std::uint8_t kRank[8] = {0, 0, 3, 4, 2, 1, 6, 5};

bool within(double value, double least, double most) { return value >= least && value <= most; }

}  // namespace

Occupancy::Occupancy(const GridForm& form)
    : form_(form), ground_(std::make_unique<Ground>()), told_(true) {}
Occupancy::Occupancy(const Geometry& geometry, const GridForm& form)
    : geometry_(geometry), form_(form), ground_(std::make_unique<Ground>()) {}
Occupancy::~Occupancy() = default;
Occupancy::Occupancy(Occupancy&&) noexcept = default;
Occupancy& Occupancy::operator=(Occupancy&&) noexcept = default;

// The pixels that may show a cell, whatever the pitch is; none if one of them is not in the mask.
Occupancy::Box Occupancy::box(const Road& road, std::uint32_t row,
                              std::uint32_t column) const noexcept {
  const Transform& t = ground_->transform;
  double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  bool seen = true;
  for (std::uint32_t corner = 0; corner < 4; ++corner) {
    const double forward = (row + corner / 2) * form_.cell_m;
    const double aside = (column + corner % 2) * form_.cell_m - form_.aside_m;
    for (const Turn& pitch : {road.pitch, road.lower, road.upper}) {
      const Spot spot = road.spot(forward, aside, pitch);
      const double x = (spot.x - t.offset_x) / t.scale_x + 0.5;
      const double y = (spot.y - t.offset_y) / t.scale_y + 0.5;
      if (!(x >= 0 && y >= 0 && x < ground_->width && y < ground_->height)) seen = false;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  if (!seen) return {1, 0, 0, 0};
  return {static_cast<std::int16_t>(left), static_cast<std::int16_t>(right),
          static_cast<std::int16_t>(top), static_cast<std::int16_t>(bottom)};
}

void Occupancy::plan() {
  const Road road(ground_->geometry);
  boxes_.resize(std::size_t{rows_} * columns_);
  for (std::uint32_t row = 0; row < rows_; ++row)
    for (std::uint32_t column = 0; column < columns_; ++column)
      boxes_[std::size_t{row} * columns_ + column] = box(road, row, column);
  const double row_px = ground_->transform.scale_y;
  low_m_.resize(rows_);
  high_m_.resize(rows_);
  for (std::uint32_t row = 0; row < rows_; ++row) {
    const Spot spot = road.spot((row + 0.5) * form_.cell_m, 0, road.pitch);
    const double low = road.meet(road.lens.ray(spot.x, spot.y + row_px), road.lower).forward;
    const double high = road.meet(road.lens.ray(spot.x, spot.y - row_px), road.upper).forward;
    low_m_[row] = std::isnan(low) ? 0.0 : low;
    high_m_[row] = std::isnan(high) ? std::numeric_limits<double>::infinity() : high;
  }
  cells_.reserve(boxes_.size());
  bottom_.assign(ground_->width, -1);
  hit_.resize(ground_->width);
  what_.resize(ground_->width);
  for (std::uint32_t c = 0; c < ground_->width; ++c) {
    int row = static_cast<int>(ground_->height) - 1;
    while (row >= 0 && ground_->road[static_cast<std::size_t>(row) * ground_->width + c] == 2)
      --row;
    bottom_[c] = row;
  }
}

Fault Occupancy::measure(const Mask& mask) {
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

Fault Occupancy::measure(const std::uint8_t* pixels, std::size_t stride, std::uint32_t width,
                         std::uint32_t height, const Transform& transform) {
  cells_.clear();
  if (!geometry_) return Fault::UNKNOWN_GEOMETRY;
  if (!within(form_.cell_m, 0.05, 5) || !within(form_.ahead_m, form_.cell_m, 1000) ||
      !within(form_.aside_m, form_.cell_m, 1000))
    return Fault::GRID;
  rows_ = static_cast<std::uint32_t>(std::ceil(form_.ahead_m / form_.cell_m));
  columns_ = static_cast<std::uint32_t>(std::ceil(2 * form_.aside_m / form_.cell_m));
  if (std::uint64_t{rows_} * columns_ > kMostCells) return Fault::GRID;
  bool fresh = false;
  Limits limits;
  limits.most_void = form_.most_void;
  const Fault fault = ground_->prepare(*geometry_, limits, transform, width, height, fresh);
  if (fault != Fault::NONE) return fault;
  if (fresh) {
    ground_->prepared = false;  // also if there is no memory for the boxes
    plan();
    ground_->prepared = true;
  }
  if (ground_->too_much_void(pixels, stride, form_.most_void)) return Fault::TOO_MUCH_VOID;
  // The lowest pixel of each column that is not flat; -1: none.
  std::fill(hit_.begin(), hit_.end(), -1);
  for (int row = static_cast<int>(height) - 1; row >= 0; --row) {
    const std::uint8_t* ids = pixels + static_cast<std::size_t>(row) * stride;
    const std::uint8_t* shown = ground_->road.data() + static_cast<std::size_t>(row) * width;
    for (std::uint32_t c = 0; c < width; ++c) {
      const bool ends = (ids[c] != kFlat) & (shown[c] == 1) & (row <= bottom_[c]);
      hit_[c] = ends && hit_[c] < 0 ? row : hit_[c];
    }
  }
  for (std::uint32_t c = 0; c < width; ++c) {
    const std::uint8_t id =
        hit_[c] < 0 ? kFlat : pixels[static_cast<std::size_t>(hit_[c]) * stride + c];
    what_[c] = id > 7 ? 0 : id;
  }
  for (const Box& box : boxes_) {
    bool free = box.left <= box.right, stands = false;
    for (int c = box.left; c <= box.right; ++c) {
      stands |= (hit_[c] >= box.top) & (hit_[c] <= box.bottom);
      free &= (hit_[c] < box.top) & (bottom_[c] >= box.bottom);
    }
    std::uint8_t cell = free ? kFlat : 0;
    for (int c = box.left; stands && c <= box.right; ++c)
      if (hit_[c] >= box.top && hit_[c] <= box.bottom && kRank[what_[c]] > kRank[cell])
        cell = what_[c];
    cells_.push_back(cell);
  }
  return Fault::NONE;
}

}  // namespace roadmask::products
