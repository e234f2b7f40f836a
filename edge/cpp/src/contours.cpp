// Border following by Suzuki and Abe, "Topological structural analysis of digitized binary images
// by border following", 1985: their algorithm 1 without the hierarchy.
#include <array>
#include <cstring>

#include "ground.hpp"

namespace roadmask::products {

Transform transform_of(const Mask& mask);

namespace {

// Of a pixel: background; of the region, not yet on a border; on one; on one whose right side is
// background, where no border of a hole may begin any more.
enum Mark : std::uint8_t { kNone, kNew, kPassed, kRight };

constexpr int kEast = 0, kWest = 4;  // of eight directions, counter-clockwise as one sees it
constexpr int kStepX[8] = {1, 1, 0, -1, -1, -1, 0, 1};
constexpr int kStepY[8] = {0, -1, -1, -1, 0, 1, 1, 1};

bool usable(const Transform& t) noexcept {
  for (double scale : {t.scale_x, t.scale_y})
    if (!(scale >= 1e-3 && scale <= 1e4)) return false;
  for (double offset : {t.offset_x, t.offset_y})
    if (!(offset >= -65536 && offset <= 65536)) return false;
  return true;
}

bool same(const Geometry& a, const Geometry& b) noexcept {
  return a.ego_points == b.ego_points && a.ego == b.ego;
}

}  // namespace

Contours::Contours() : told_(true) {}
Contours::Contours(const Geometry& geometry) : geometry_(geometry) {}

Fault Contours::measure(const Mask& mask, std::uint8_t category) {
  if (told_) {
    bool changed = false;
    Geometry told;
    if (!stream_.read(mask, told, changed))
      geometry_.reset();
    else if (changed)
      geometry_ = told;
  }
  return measure(mask.pixels(), mask.stride(), mask.width(), mask.height(), transform_of(mask),
                 category);
}

Fault Contours::measure(const std::uint8_t* pixels, std::size_t stride, std::uint32_t width,
                        std::uint32_t height, const Transform& transform, std::uint8_t category) {
  contours_.clear(), points_.clear(), camera_px_.clear();
  if (category == 0 || category > 7) return Fault::LIMITS;
  if (!usable(transform)) return Fault::TRANSFORM;
  if (geometry_ && geometry_->ego_points > geometry_->ego.size() / 2) return Fault::EGO;
  if (width == 0 || height == 0 || width > 32767 || height > 32767 ||
      std::uint64_t{width} * height > kMostPixels)
    return Fault::MASK_SIZE;
  width_ = width + 2;  // with a frame of background, so that no step leaves the picture
  hide(width, height, transform);
  marks_.assign(std::size_t{width_} * (height + 2), kNone);
  for (std::uint32_t y = 0; y < height; ++y) {
    const std::uint8_t* ids = pixels + y * stride;
    const std::uint8_t* own = own_.empty() ? nullptr : own_.data() + std::size_t{y} * width;
    std::uint8_t* row = marks_.data() + std::size_t{y + 1} * width_ + 1;
    for (std::uint32_t x = 0; x < width; ++x) row[x] = ids[x] == category;  // kNew or kNone
    for (std::uint32_t x = 0; own && x < width; ++x) row[x] &= own[x] ^ 1;
  }
  for (std::uint32_t y = 1; y <= height; ++y) scan(y);
  for (const Point& p : points_) {
    camera_px_.push_back(transform.scale_x * p.x + transform.offset_x);
    camera_px_.push_back(transform.scale_y * p.y + transform.offset_y);
  }
  return Fault::NONE;
}

// Which pixels show one's own vehicle, worked out where something of it changed.
void Contours::hide(std::uint32_t width, std::uint32_t height, const Transform& t) {
  const bool any = geometry_ && geometry_->ego_points >= 3;
  if (any && own_.size() == std::size_t{width} * height && own_width_ == width &&
      same(own_of_, *geometry_) &&
      own_at_ == std::array{t.scale_x, t.scale_y, t.offset_x, t.offset_y})
    return;
  own_.clear();
  if (!any) return;
  own_.resize(std::size_t{width} * height);
  for (std::uint32_t y = 0; y < height; ++y)
    for (std::uint32_t x = 0; x < width; ++x)
      own_[std::size_t{y} * width + x] =
          in_ego(*geometry_, t.scale_x * x + t.offset_x, t.scale_y * y + t.offset_y);
  own_width_ = width, own_of_ = *geometry_;
  own_at_ = {t.scale_x, t.scale_y, t.offset_x, t.offset_y};
}

// The borders whose topmost, leftmost pixel lies in this row.
void Contours::scan(std::uint32_t y) {
  const std::uint8_t* row = marks_.data() + std::size_t{y} * width_;
  std::uint8_t before = kNone;
  for (std::uint32_t x = 1; x < width_; ++x) {
    // Nearly all of a mask is runs: nothing begins where eight pixels are as the one before.
    for (std::uint64_t eight; x + 8 < width_; x += 8) {
      std::memcpy(&eight, row + x, sizeof eight);
      if (eight != before * std::uint64_t{0x0101010101010101}) break;
    }
    if (row[x] == kNew && before == kNone)
      follow({static_cast<std::int32_t>(x), static_cast<std::int32_t>(y)}, false);
    else if (row[x] == kNone && (before == kNew || before == kPassed))
      follow({static_cast<std::int32_t>(x) - 1, static_cast<std::int32_t>(y)}, true);
    before = row[x];
  }
}

void Contours::follow(Point start, bool hole) {
  const auto at = [&](Point p, int direction) {
    return Point{p.x + kStepX[direction], p.y + kStepY[direction]};
  };
  const auto mark = [&](Point p) -> std::uint8_t& {
    return marks_[static_cast<std::size_t>(p.y) * width_ + static_cast<std::size_t>(p.x)];
  };
  const auto first = static_cast<std::uint32_t>(points_.size());
  const int outside = hole ? kEast : kWest;
  int direction = outside;
  do {
    direction = (direction + 7) % 8;  // clockwise: where this border comes from
  } while (direction != outside && mark(at(start, direction)) == kNone);
  if (direction == outside) {  // a pixel alone
    mark(start) = kRight;
    points_.push_back({start.x - 1, start.y - 1});
  } else {
    const Point last = at(start, direction);
    Point here = start;
    for (int came = (direction + 4) % 8;;) {
      int step = direction;
      Point next;
      do {
        next = at(here, ++step % 8);
      } while (mark(next) == kNone);
      std::uint8_t& passed = mark(here);
      if (step > 8)  // background to the east was looked at
        passed = kRight;
      else if (passed == kNew)
        passed = kPassed;
      step %= 8;
      if (step != came) points_.push_back({here.x - 1, here.y - 1});  // a corner
      came = step;
      if (next.x == start.x && next.y == start.y && here.x == last.x && here.y == last.y) break;
      here = next;
      direction = (step + 4) % 8;
    }
  }
  contours_.push_back({hole, first, static_cast<std::uint32_t>(points_.size()) - first});
}

}  // namespace roadmask::products
