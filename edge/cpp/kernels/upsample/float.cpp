// Upsampling of float logits: the same semantics without the shortcut, since rounding could make
// a tie of two classes in the middle of a cell where neither is tied at its corners.
// Built with -ffp-contract=off: the result is the NumPy reference's on every processor.
#include <algorithm>

#include "kernels/upsample/upsample.hpp"

namespace roadmask::kernels {
namespace {

std::uint8_t margin_of(float difference, float per_step) {
  const float scaled = difference * per_step;
  if (scaled >= 255.0F) return 255;
  return scaled > 0.0F ? static_cast<std::uint8_t>(scaled) : std::uint8_t{0};  // NaN: 0
}

// 255 x the share of the best of itself and its rival; a sigmoid's winner is at most as sure as it
// says. `one` is a probability of 1.
std::uint8_t share_of(float best, float rival, float one, bool sigmoid) {
  float whole = best + (rival > 0.0F ? rival : 0.0F);
  if (sigmoid && whole < one) whole = one;
  const float share = best / whole;
  return share > 0.0F ? static_cast<std::uint8_t>(255.0F * (share < 1.0F ? share : 1.0F) + 0.5F)
                      : std::uint8_t{0};  // NaN: 0
}

// One row of logits → planes of blends along the row, 16 times the logits.
void blend_columns(const float* row, int classes, int last, const std::int32_t* lower,
                   const std::int32_t* sixteenths, int width, float* planes) {
  for (int k = 0; k < classes; ++k) {
    float* plane = planes + static_cast<std::ptrdiff_t>(k) * width;
    for (int x = 0; x < width; ++x) {
      const std::ptrdiff_t a = lower[x], b = std::min(lower[x] + 1, last);
      const float w = static_cast<float>(sixteenths[x]);
      plane[x] = (16.0F - w) * row[a * classes + k] + w * row[b * classes + k];
    }
  }
}

// Where a class is NaN, infinite, or so large that a blend of rows may be: NaN in `odd`, else 0.
bool find_odd(const float* planes, int classes, int width, float* odd) {
  std::fill(odd, odd + width, 0.0F);
  for (int k = 0; k < classes; ++k) {
    const float* plane = planes + static_cast<std::ptrdiff_t>(k) * width;
    for (int x = 0; x < width; ++x) odd[x] += 16.0F * plane[x] * 0.0F;
  }
  int found = 0;
  for (int x = 0; x < width; ++x) found += odd[x] != 0.0F;
  return found == 0;
}

}  // namespace

Filled UpsamplePlan::run(const float* logits, Plane mask, Plane confidence) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const UpsampleOptions& o = options_;
  const int width = o.mask.width;
  const std::size_t plane = static_cast<std::size_t>(width) * static_cast<std::size_t>(o.classes);
  // Sized at the first run: a plan for int8 logits never needs them.
  float_rows_.resize(2 * plane + 4 * static_cast<std::size_t>(width));
  float* const rows[2] = {float_rows_.data(), float_rows_.data() + plane};
  float* const best = float_rows_.data() + 2 * plane;
  float* const rival = best + width;
  // Of each held row: 0 where every class can be blended further, NaN elsewhere.
  float* const odd[2] = {rival + width, rival + 2 * width};
  std::array<bool, 2> sound{{true, true}};  // no such NaN
  const bool margins = !o.confidence_table.empty() && (confidence.data || o.threshold > 0);
  const bool logit = o.scores == Scores::logits, sigmoid = o.scores == Scores::sigmoid;
  const float one = 256.0F / o.step;
  const float per_step = static_cast<float>(1.0 / (256.0 * static_cast<double>(o.step)));
  std::array<int, 2> held{{-1, -1}};
  Filled filled;

  const auto row_of = [&](int row) {
    const int slot = row & 1;
    if (held[slot] != row) {
      const std::ptrdiff_t pixels = static_cast<std::ptrdiff_t>(row) * o.logits.width;
      blend_columns(logits + pixels * o.classes, o.classes, o.logits.width - 1, lower_.data(),
                    sixteenths_.data(), width, rows[slot]);
      held[slot] = row;
      sound[slot] = find_odd(rows[slot], o.classes, width, odd[slot]);
    }
    return rows[slot];
  };

  for (int y = 0; y < o.mask.height; ++y) {
    const Position p = rows_[y];
    const float* top = row_of(p.lower);
    const float* bottom = row_of(std::min(p.lower + 1, o.logits.height - 1));
    const float w = static_cast<float>(p.sixteenths);
    std::uint8_t* category = mask.row(y);
    for (int k = o.first; k < o.classes; ++k) {
      const float* a = top + static_cast<std::ptrdiff_t>(k) * width;
      const float* b = bottom + static_cast<std::ptrdiff_t>(k) * width;
      const std::uint8_t mine = o.categories[k];
      if (k == o.first) {
        for (int x = 0; x < width; ++x) {
          best[x] = (16.0F - w) * a[x] + w * b[x];
          rival[x] = -__builtin_inff();
          category[x] = mine;
        }
        continue;
      }
      for (int x = 0; x < width; ++x) {
        const float v = (16.0F - w) * a[x] + w * b[x];
        const float loser = v > best[x] ? best[x] : v;
        rival[x] = category[x] != mine && loser > rival[x] ? loser : rival[x];
        category[x] = v > best[x] ? mine : category[x];
        best[x] = v > best[x] ? v : best[x];
      }
    }
    for (int x = 0; margins && x < width; ++x) {
      const std::uint8_t level = logit ? margin_of(best[x] - rival[x], per_step)
                                       : share_of(best[x], rival[x], one, sigmoid);
      const std::uint8_t c = o.confidence_table[level];
      if (confidence.data) confidence.row(y)[x] = c;
      if (c < o.threshold) category[x] = 0;
    }
    const int lower = p.lower & 1, upper = std::min(p.lower + 1, o.logits.height - 1) & 1;
    if (!sound[lower] || !sound[upper])
      for (int x = 0; x < width; ++x)
        category[x] = odd[lower][x] + odd[upper][x] == 0.0F ? category[x] : kUnknown;
    filled.invalid += clear_unknown(category, confidence.data ? confidence.row(y) : nullptr, width);
    upsample_scalar.count(category, width, filled.counts.data());
  }
  return filled;
}

}  // namespace roadmask::kernels
