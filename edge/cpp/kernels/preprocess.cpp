#include "kernels/preprocess.hpp"

#include <algorithm>
#include <utility>

#include "kernels/levels.hpp"

namespace roadmask::kernels {
namespace {

constexpr int kPadding = 64;  // sums that a vector may read over the end, with weight 0

const PreprocessOps& ops_of(Level level) {
#if defined(__x86_64__)
  if (level == Level::avx512) return preprocess_avx512;
  if (level == Level::avx2) return preprocess_avx2;
#elif defined(__aarch64__)
  if (level == Level::neon) return preprocess_neon;
#endif
  (void)level;
  return preprocess_scalar;
}

bool is_identity(const std::vector<std::uint8_t>& table) {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table[i] != i) return false;
  return true;
}

TapsView view(const Taps& taps) { return {taps.count, taps.first.data(), taps.weights.data()}; }

}  // namespace

Taps axis_taps(int source, int target, int total) {
  std::vector<std::vector<std::int16_t>> weights(static_cast<std::size_t>(target));
  Taps taps{0, std::vector<std::int32_t>(weights.size()), {}};
  const std::int64_t s = source, t = target;
  for (std::int64_t i = 0; i < t; ++i) {
    auto& w = weights[static_cast<std::size_t>(i)];
    std::int64_t first;
    if (target >= source) {
      const std::int64_t scaled = std::max<std::int64_t>(total * ((2 * i + 1) * s - t) + t, 0);
      const std::int64_t p = std::min(scaled / (2 * t), total * (s - 1));
      first = p / total;
      w.push_back(static_cast<std::int16_t>(total - p % total));
      if (p % total) w.push_back(static_cast<std::int16_t>(p % total));
    } else {
      first = i * s / t;
      std::int64_t before = 0;
      for (std::int64_t k = first; k * t < (i + 1) * s; ++k) {
        const std::int64_t covered = std::min((k + 1) * t - i * s, s);
        const std::int64_t sum = (total * covered + s / 2) / s;
        w.push_back(static_cast<std::int16_t>(sum - before));
        before = sum;
      }
    }
    taps.first[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(first);
    taps.count = std::max(taps.count, static_cast<int>(w.size()));
  }
  taps.count += taps.count % 2;
  for (auto& w : weights) {
    w.resize(static_cast<std::size_t>(taps.count), 0);
    taps.weights.insert(taps.weights.end(), w.begin(), w.end());
  }
  return taps;
}

PreprocessPlan::RowTaps PreprocessPlan::row_taps(int source, int target) {
  RowTaps r{axis_taps(source, target, 256), {}, {}};
  const std::size_t count = static_cast<std::size_t>(r.taps.count);
  for (std::size_t i = 0; i < r.taps.first.size(); ++i) {
    std::int16_t* w = r.taps.weights.data() + i * count;
    for (std::size_t k = 0; k < count; ++k) {
      if (w[k] != 256) continue;
      // 256 is no byte: such a row is its own neighbour, half and half. Marked by the sign.
      r.taps.first[i] = -1 - (r.taps.first[i] + static_cast<std::int32_t>(k));
      w[k] = 0;
      w[0] = w[1] = 128;
      break;
    }
    for (std::size_t k = 0; k < count; ++k) r.weights.push_back(static_cast<std::uint8_t>(w[k]));
  }
  r.rows.resize(count);
  return r;
}

void PreprocessPlan::RowTaps::sum(const PreprocessOps& ops, Picture source, int y, int bytes,
                                  std::int16_t* out) {
  const std::int32_t first = taps.first[static_cast<std::size_t>(y)];
  const std::uint8_t* w = weights.data() + static_cast<std::ptrdiff_t>(y) * taps.count;
  int used = 0;
  const std::uint8_t* last = nullptr;
  for (int k = 0; k < taps.count; ++k) {
    if (w[k]) {
      last = source.data + (first < 0 ? -1 - first : first + k) * source.stride;
      used = k + 1;
    }
    rows[static_cast<std::size_t>(k)] = last;  // a tap without weight may lie outside
  }
  for (int k = used - 1; k >= 0; --k)
    if (!rows[static_cast<std::size_t>(k)])
      rows[static_cast<std::size_t>(k)] = rows[static_cast<std::size_t>(k) + 1];
  ops.rows(rows.data(), w, used + used % 2, bytes, out);
}

PreprocessPlan::PreprocessPlan(Size source, Size target, std::vector<std::uint8_t> table,
                               Layout layout)
    : source_(source), target_(target), layout_(layout), table_(std::move(table)) {
  if (is_identity(table_)) table_.clear();
  rows_ = row_taps(source.height, target.height);
  columns_ = axis_taps(source.width, target.width, 16384);
  int samples = source.width;
  if (layout == Layout::bgr) samples *= 3;
  if (layout == Layout::yuyv || layout == Layout::nv12) {
    samples *= 2;
    const int height = layout == Layout::nv12 ? source.height / 2 : source.height;
    chroma_rows_ = row_taps(height, target.height);
    chroma_columns_ = axis_taps(source.width / 2, target.width, 16384);
  }
  sums_.assign(static_cast<std::size_t>(samples + kPadding * (2 + columns_.count)), 0);
  if (layout != Layout::bgr)
    for (auto& channel : channels_)
      channel.assign(static_cast<std::size_t>(target.width + kPadding), 128);
}

void PreprocessPlan::run(Picture source, std::uint8_t* out) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const PreprocessOps& ops = ops_of(level());
  const int width = target_.width, bytes = 3 * width;
  std::int16_t* const sums = sums_.data();
  std::uint8_t* const y = channels_[0].data();
  std::uint8_t* const u = channels_[1].data();
  std::uint8_t* const v = channels_[2].data();
  const TapsView columns = view(columns_), chroma_columns = view(chroma_columns_);
  const Picture chroma{source.data + source_.height * source.stride, source.stride};
  for (int row = 0; row < target_.height; ++row, out += bytes) {
    switch (layout_) {
      case Layout::bgr:
        rows_.sum(ops, source, row, 3 * source_.width, sums);
        ops.columns_bgr(sums, columns, width, out);
        break;
      case Layout::grey:
        rows_.sum(ops, source, row, source_.width, sums);
        ops.columns(sums, 1, columns, width, y);
        for (int x = 0; x < width; ++x) out[3 * x] = out[3 * x + 1] = out[3 * x + 2] = y[x];
        break;
      case Layout::yuyv:
        rows_.sum(ops, source, row, 2 * source_.width, sums);
        ops.columns(sums, 2, columns, width, y);
        ops.columns(sums + 1, 4, chroma_columns, width, u);
        ops.columns(sums + 3, 4, chroma_columns, width, v);
        ops.colours(y, u, v, width, out);
        break;
      case Layout::nv12: {
        std::int16_t* const chroma_sums = sums + source_.width + kPadding;
        rows_.sum(ops, source, row, source_.width, sums);
        chroma_rows_.sum(ops, chroma, row, source_.width, chroma_sums);
        ops.columns(sums, 1, columns, width, y);
        ops.columns(chroma_sums, 2, chroma_columns, width, u);
        ops.columns(chroma_sums + 1, 2, chroma_columns, width, v);
        ops.colours(y, u, v, width, out);
        break;
      }
    }
    if (!table_.empty()) ops.table(table_.data(), bytes, out);
  }
}

}  // namespace roadmask::kernels
