#include "kernels/upsample/upsample.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/levels.hpp"

namespace roadmask::kernels {
namespace {

constexpr int kMaxLanes = 32;
constexpr int kPadding = 64;
constexpr std::uint8_t kUndecided = 255;

const UpsampleOps& ops_of(Level level) {
#if defined(__x86_64__)
  if (level == Level::avx512) return upsample_avx512;
  if (level == Level::avx2) return upsample_avx2;
#elif defined(__aarch64__)
  if (level == Level::neon) return upsample_neon;
#endif
  (void)level;
  return upsample_scalar;
}

// Least margin from which the table's value no longer changes what is written.
int decisive_margin(const UpsampleOptions& o, bool plane) {
  if (o.confidence_table.empty() || (!plane && o.threshold == 0)) return 0;
  const std::uint8_t* table = o.confidence_table.data();
  int margin = 255;
  while (margin > 0 && (plane ? table[margin - 1] == table[255]
                              : (table[margin - 1] < o.threshold) == (table[255] < o.threshold)))
    --margin;
  return margin;
}

}  // namespace

std::int64_t clear_unknown(std::uint8_t* categories, std::uint8_t* confidences, int width) {
  std::int64_t found = 0;
  for (int x = 0; x < width; ++x) found += categories[x] == kUnknown;
  if (found == 0) return 0;
  for (int x = 0; x < width; ++x) {
    if (categories[x] != kUnknown) continue;
    categories[x] = 0;
    if (confidences) confidences[x] = 0;
  }
  return found;
}

std::vector<Position> bilinear_positions(int source, int target, Window window) {
  std::vector<Position> positions(static_cast<std::size_t>(target));
  for (std::int64_t x = 0; x < target; ++x) {
    // In 1 / (2 * target * total) of a source pixel, from its left edge.
    const std::int64_t edge =
        (2 * std::int64_t{target} * window.begin + (2 * x + 1) * window.length) * source;
    const std::int64_t half = std::int64_t{target} * window.total;
    const std::int64_t scaled = 16 * (edge - half) + half;
    // Negative only left of the first centre, where the clamp below gives 0 anyway.
    std::int64_t p = scaled < 0 ? 0 : scaled / (2 * half);
    p = std::min<std::int64_t>(p, 16 * (std::int64_t{source} - 1));
    positions[static_cast<std::size_t>(x)] = {static_cast<int>(p / 16), static_cast<int>(p % 16)};
  }
  return positions;
}

UpsamplePlan::UpsamplePlan(const UpsampleOptions& options) : options_(options) {
  const int w = options_.logits.width, width = options_.mask.width;
  const std::size_t padded = static_cast<std::size_t>(width) + kPadding;
  rows_ = bilinear_positions(options_.logits.height, options_.mask.height, options_.rows);
  const std::vector<Position> columns = bilinear_positions(w, width, options_.columns);
  lower_.assign(padded, w - 1);
  sixteenths_.assign(padded, 0);
  pairs_.assign(padded, 0);
  pair_weights_.assign(padded, 16);
  for (std::size_t x = 0; x < padded; ++x) {
    const Position p = x < columns.size() ? columns[x] : columns.back();
    lower_[x] = p.lower;
    sixteenths_[x] = p.sixteenths;
    pairs_[x] = static_cast<std::uint16_t>((p.lower & 255) | ((p.lower + 1) & 255) << 8);
    pair_weights_[x] = static_cast<std::uint16_t>((16 - p.sixteenths) | p.sixteenths << 8);
  }
  cell_begin_.assign(static_cast<std::size_t>(w) + 1, width);
  for (int x = width - 1; x >= 0; --x) cell_begin_[static_cast<std::size_t>(lower_[x])] = x;
  for (int i = w - 1; i >= 0; --i) cell_begin_[i] = std::min(cell_begin_[i], cell_begin_[i + 1]);
  near_lanes_ = widest_near();
  knows_all_ = std::count(options_.categories.begin(), options_.categories.end(), kUnknown) == 0;
  decisive_ = decisive_margin(options_, false);
  decisive_with_plane_ = decisive_margin(options_, true);
  plane_stride_ = (w + kPadding + 63) / 64 * 64;
  for (auto& planes : planes_)
    planes.assign(static_cast<std::size_t>(plane_stride_ * options_.classes), 0);
  for (auto& winners : winners_) winners.assign(static_cast<std::size_t>(plane_stride_), 0);
  cells_.assign(static_cast<std::size_t>(plane_stride_), 0);
  template_.assign(padded, 0);
  stretches_.reserve(static_cast<std::size_t>(w) + 1);
  if (width < kMaxLanes)
    narrow_.assign(static_cast<std::size_t>(2 * options_.mask.height * kPadding), 0);
  scratch_.assign(static_cast<std::size_t>(2 * options_.classes * kMaxLanes), 0);
}

// The widest chunk of which every one reads at most 16 columns of logits.
int UpsamplePlan::widest_near() const {
  int lanes = kMaxLanes;
  for (int x = 0; x < options_.mask.width; ++x)
    while (lanes > 1 && lower_[std::min(x + lanes, options_.mask.width) - 1] + 1 - lower_[x] > 15)
      lanes /= 2;
  return lanes;
}

// The winners of a row of cells become the row's template and the stretches left to compute.
void UpsamplePlan::fill(const std::uint8_t* top, const std::uint8_t* bottom, int lanes) {
  const int w = options_.logits.width;
  const bool abstain =
      options_.threshold > 0 && options_.confidence_table[255] < options_.threshold;
  for (int i = 0; i < w; ++i) {
    const bool same = top[i] == top[i + 1] && bottom[i] == bottom[i + 1] && top[i] == bottom[i];
    cells_[i] = same ? top[i] : kUndecided;
  }
  stretches_.clear();
  for (int i = 0; i < w;) {
    const int begin = i;
    const std::uint8_t winner = cells_[i];
    while (i < w && cells_[i] == winner) ++i;
    const int x = cell_begin_[begin], end = cell_begin_[i];
    if (winner != kUndecided) {
      const std::uint8_t category = abstain ? 0 : options_.categories[winner];
      std::memset(template_.data() + x, category, static_cast<std::size_t>(end - x));
    } else if (end > x) {
      // The last chunk of a stretch may already reach in here.
      Stretch* last = stretches_.empty() ? nullptr : &stretches_.back();
      if (last && x <= last->begin + (last->end - last->begin + lanes - 1) / lanes * lanes)
        last->end = end;
      else
        stretches_.push_back({x, end});
    }
  }
}

Filled UpsamplePlan::run(const std::int8_t* logits, Plane mask, Plane confidence) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Filled filled{run_any(logits, mask, confidence), 0};
  for (int y = 0; !knows_all_ && y < options_.mask.height; ++y)
    filled.invalid += clear_unknown(mask.row(y), confidence.data ? confidence.row(y) : nullptr,
                                    options_.mask.width);
  return filled;
}

Counts UpsamplePlan::run_any(const std::int8_t* logits, Plane mask, Plane confidence) {
  if (options_.mask.width >= kMaxLanes) return run_wide(logits, mask, confidence);
  const Plane wide_mask{narrow_.data(), kPadding};
  const Plane wide_confidence{confidence.data ? wide_mask.row(options_.mask.height) : nullptr,
                              kPadding};
  const Counts counts = run_wide(logits, wide_mask, wide_confidence);
  const std::size_t bytes = static_cast<std::size_t>(options_.mask.width);
  for (int y = 0; y < options_.mask.height; ++y) {
    std::memcpy(mask.row(y), wide_mask.row(y), bytes);
    if (confidence.data) std::memcpy(confidence.row(y), wide_confidence.row(y), bytes);
  }
  return counts;
}

Counts UpsamplePlan::run_wide(const std::int8_t* logits, Plane mask, Plane confidence) {
  const UpsampleOps* ops = &ops_of(level());
#if defined(__x86_64__)
  // A chunk of 32 columns that reads over 16 columns of logits is better halved than gathered.
  if (ops == &upsample_avx512 && near_lanes_ < ops->lanes) ops = &upsample_avx2;
#endif
  const bool near = ops->lanes <= near_lanes_;
  const UpsampleOptions& o = options_;
  const bool margins = !o.confidence_table.empty() && (confidence.data || o.threshold > 0);
  const int decisive = confidence.data ? decisive_with_plane_ : decisive_;
  held_ = {-1, -1};
  Counts counts{};

  const auto row_of = [&](int row) {
    const int slot = row & 1;
    if (held_[slot] != row) {
      const std::int8_t* source =
          logits + static_cast<std::ptrdiff_t>(row) * o.logits.width * o.classes;
      ops->planes(source, o.logits.width, o.classes, planes_[slot].data(), plane_stride_);
      ops->winners(planes_[slot].data(), plane_stride_, o.logits.width + 1, o.first, o.classes,
                   o.categories.data(), decisive, winners_[slot].data());
      held_[slot] = row;
    }
    return slot;
  };

  for (int y = 0; y < o.mask.height;) {
    const int row = rows_[y].lower;
    int end = y + 1;
    while (end < o.mask.height && rows_[end].lower == row) ++end;
    const int top = row_of(row);
    const int bottom = row + 1 < o.logits.height ? row_of(row + 1) : top;
    fill(winners_[top].data(), winners_[bottom].data(), ops->lanes);
    for (int i = y; i < end; ++i) {
      std::memcpy(mask.row(i), template_.data(), static_cast<std::size_t>(o.mask.width));
      if (confidence.data)
        std::memset(confidence.row(i), o.confidence_table[255],
                    static_cast<std::size_t>(o.mask.width));
    }
    const Band band{planes_[top].data(),
                    planes_[bottom].data(),
                    plane_stride_,
                    o.classes,
                    o.first,
                    o.categories.data(),
                    margins ? o.confidence_table.data() : nullptr,
                    o.threshold,
                    lower_.data(),
                    pairs_.data(),
                    pair_weights_.data(),
                    std::max(o.mask.width, kMaxLanes),
                    y,
                    end,
                    rows_.data(),
                    mask,
                    confidence,
                    scratch_.data()};
    for (const Stretch& stretch : stretches_) ops->stretch(band, stretch, near);
    for (int i = y; i < end; ++i) ops->count(mask.row(i), o.mask.width, counts.data());
    y = end;
  }
  return counts;
}

}  // namespace roadmask::kernels
