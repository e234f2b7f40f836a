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

bool flips_only(const std::vector<std::uint8_t>& table, std::size_t bits) {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table[i] != (i ^ bits)) return false;
  return !table.empty();
}

WindowsView view(const Windows& windows, int stride) {
  return {stride, windows.start.data(), windows.index.data(), windows.weights.data()};
}

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

Windows make_windows(const Taps& taps, int channels) {
  constexpr int kLanes = 16, kSums = 64;
  const int results = static_cast<int>(taps.first.size()) * channels;
  Windows windows;
  windows.usable = true;
  for (int begin = 0; begin < results; begin += kLanes) {
    const std::int32_t start = taps.first[static_cast<std::size_t>(begin / channels)] * channels;
    windows.start.push_back(start);
    for (int pair = 0; pair < taps.count; pair += 2) {
      for (int lane = 0; lane < kLanes; ++lane) {
        const int result = std::min(begin + lane, results - 1);
        const auto x = static_cast<std::size_t>(result / channels);
        if (pair == 0) {
          // Channels come out in reverse: BGR → RGB.
          const int at = taps.first[x] * channels + channels - 1 - result % channels - start;
          windows.usable = windows.usable && at + channels < kSums;
          windows.index.push_back(static_cast<std::int16_t>(at));
          windows.index.push_back(static_cast<std::int16_t>(at + channels));
        }
        const std::int16_t* w = taps.weights.data() + x * static_cast<std::size_t>(taps.count);
        windows.weights.push_back(w[pair]);
        windows.weights.push_back(w[pair + 1]);
      }
    }
  }
  return windows;
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
  flip_ = flips_only(table_, 0x80);
  if (flip_ || flips_only(table_, 0)) table_.clear();
  rows_ = row_taps(source.height, target.height);
  columns_ = axis_taps(source.width, target.width, 16384);
  windows_ = make_windows(columns_, layout == Layout::bgr ? 3 : 1);
  if (layout == Layout::yuyv || layout == Layout::nv12) {
    const int height = layout == Layout::nv12 ? source.height / 2 : source.height;
    chroma_rows_ = row_taps(height, target.height);
    chroma_columns_ = axis_taps(source.width / 2, target.width, 16384);
    chroma_windows_ = make_windows(chroma_columns_, 1);
  }
  const int padding = kPadding * (2 + std::max(columns_.count, chroma_columns_.count));
  sums_.assign(static_cast<std::size_t>(3 * source.width + padding), 0);
  if (layout == Layout::bgr) return;
  for (auto& plane : planes_) plane.assign(static_cast<std::size_t>(source.width + padding), 0);
  for (auto& channel : channels_)
    channel.assign(static_cast<std::size_t>(target.width + kPadding), 0);
}

// One row of luma and, where the layout has it, of chroma: the sums of `planes_` → `channels_`.
void PreprocessPlan::convert_row(const PreprocessOps& ops, const std::int16_t* luma,
                                 const std::int16_t* chroma, std::uint8_t* out) {
  const WindowsView windows = view(windows_, 1), chroma_windows = view(chroma_windows_, 1);
  const TapsView taps{columns_.count, columns_.first.data(), columns_.weights.data(),
                      windows_.usable ? &windows : nullptr};
  const TapsView chroma_taps{chroma_columns_.count, chroma_columns_.first.data(),
                             chroma_columns_.weights.data(),
                             chroma_windows_.usable ? &chroma_windows : nullptr};
  const int width = target_.width;
  std::uint8_t* const y = channels_[0].data();
  ops.columns(luma, taps, width, y);
  if (!chroma) {
    for (int x = 0; x < width; ++x) out[3 * x] = out[3 * x + 1] = out[3 * x + 2] = y[x];
    return;
  }
  ops.split(chroma, source_.width / 2, planes_[2].data(), planes_[3].data());
  ops.columns(planes_[2].data(), chroma_taps, width, channels_[1].data());
  ops.columns(planes_[3].data(), chroma_taps, width, channels_[2].data());
  ops.colours(y, channels_[1].data(), channels_[2].data(), width, out);
}

void PreprocessPlan::run(Picture source, std::uint8_t* out) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const PreprocessOps& ops = ops_of(level());
  const int bytes = 3 * target_.width;
  const WindowsView windows = view(windows_, 3);
  const TapsView taps{columns_.count, columns_.first.data(), columns_.weights.data(),
                      windows_.usable ? &windows : nullptr};
  const Picture chroma{source.data + source_.height * source.stride, source.stride};
  for (int row = 0; row < target_.height; ++row, out += bytes) {
    switch (layout_) {
      case Layout::bgr:
        rows_.sum(ops, source, row, 3 * source_.width, sums_.data());
        ops.columns_bgr(sums_.data(), taps, target_.width, out);
        break;
      case Layout::grey:
        rows_.sum(ops, source, row, source_.width, planes_[0].data());
        convert_row(ops, planes_[0].data(), nullptr, out);
        break;
      case Layout::yuyv:
        rows_.sum(ops, source, row, 2 * source_.width, sums_.data());
        ops.split(sums_.data(), source_.width, planes_[0].data(), planes_[1].data());
        convert_row(ops, planes_[0].data(), planes_[1].data(), out);
        break;
      case Layout::nv12:
        rows_.sum(ops, source, row, source_.width, planes_[0].data());
        chroma_rows_.sum(ops, chroma, row, source_.width, planes_[1].data());
        convert_row(ops, planes_[0].data(), planes_[1].data(), out);
        break;
    }
    if (flip_) ops.flip(bytes, out);
    if (!table_.empty()) ops.table(table_.data(), bytes, out);
  }
}

}  // namespace roadmask::kernels
