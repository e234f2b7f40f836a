#include "kernels/preprocess/preprocess.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "kernels/levels.hpp"

namespace roadmask::kernels {
namespace {

constexpr int kPadding = 64;   // sums that a vector may read over the end, with weight 0
constexpr int kStrips = 16;    // of a job: a thread that comes late still finds some
constexpr int kRowsAhead = 3;  // target rows between the fetch of pixels and their use
constexpr int kSpins = 1000;   // some ten µs: about a strip

std::int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int bytes_per_pixel(Layout layout) {
  return layout == Layout::bgr ? 3 : layout == Layout::yuyv ? 2 : 1;
}

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

void flip_top_bits(const std::uint8_t* source, std::ptrdiff_t bytes, std::uint8_t* out) {
  for (std::ptrdiff_t i = 0; i < bytes; ++i) out[i] = source[i] ^ 0x80;
}

PreprocessPlan::RowTaps PreprocessPlan::row_taps(int source, int target) {
  RowTaps r{axis_taps(source, target, 256), {}};
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
  return r;
}

int PreprocessPlan::RowTaps::begin(int row) const {
  const std::int32_t first = taps.first[static_cast<std::size_t>(row)];
  return first < 0 ? -1 - first : first;
}

void PreprocessPlan::sum_rows(const RowTaps& taps, Picture source, int row, int bytes,
                              Scratch& scratch, std::int16_t* out) {
  const int count = taps.taps.count;
  const int begin = taps.begin(row);
  const bool whole = taps.taps.first[static_cast<std::size_t>(row)] < 0;
  const std::uint8_t* w = taps.weights.data() + static_cast<std::ptrdiff_t>(row) * count;
  const std::uint8_t** rows = scratch.rows.data();
  int used = 0;
  const std::uint8_t* last = nullptr;
  for (int k = 0; k < count; ++k) {
    if (w[k]) {
      last = source.data + (whole ? begin : begin + k) * source.stride;
      used = k + 1;
    }
    rows[k] = last;  // a tap without weight may lie outside
  }
  for (int k = used - 1; k >= 0; --k)
    if (!rows[k]) rows[k] = rows[k + 1];
  ops_of(level()).rows(rows, w, used + used % 2, bytes, out);
}

PreprocessPlan::PreprocessPlan(Size picture, Crop crop, Size target,
                               std::vector<std::uint8_t> table, Layout layout)
    : picture_size_(picture),
      crop_(crop),
      source_(crop.size),
      target_(target),
      layout_(layout),
      table_(std::move(table)) {
  const Size source = source_;
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
  strips_ = std::min(kStrips, target.height);
  const auto padding =
      static_cast<std::size_t>(kPadding * (2 + std::max(columns_.count, chroma_columns_.count)));
  const auto from = static_cast<std::size_t>(source.width);
  for (Scratch& scratch : scratch_) {
    scratch.rows.resize(
        static_cast<std::size_t>(std::max(rows_.taps.count, chroma_rows_.taps.count)));
    scratch.sums.assign(3 * from + padding, 0);
    if (layout == Layout::bgr) continue;
    for (auto& plane : scratch.planes) plane.assign(from + padding, 0);
    for (auto& channel : scratch.channels)
      channel.assign(static_cast<std::size_t>(target.width + kPadding), 0);
  }
}

// One row of luma and, where the layout has it, of chroma: sums → RGB.
void PreprocessPlan::convert_row(Scratch& scratch, const std::int16_t* luma,
                                 const std::int16_t* chroma, Ahead ahead, std::uint8_t* out) {
  const PreprocessOps& ops = ops_of(level());
  const WindowsView windows = view(windows_, 1), chroma_windows = view(chroma_windows_, 1);
  const TapsView taps{columns_.count, columns_.first.data(), columns_.weights.data(),
                      windows_.usable ? &windows : nullptr, ahead};
  const TapsView chroma_taps{chroma_columns_.count,
                             chroma_columns_.first.data(),
                             chroma_columns_.weights.data(),
                             chroma_windows_.usable ? &chroma_windows : nullptr,
                             {}};
  const int width = target_.width;
  std::uint8_t* const y = scratch.channels[0].data();
  ops.columns(luma, taps, width, y);
  if (!chroma) {
    for (int x = 0; x < width; ++x) out[3 * x] = out[3 * x + 1] = out[3 * x + 2] = y[x];
    return;
  }
  std::int16_t* const u = scratch.planes[2].data();
  std::int16_t* const v = scratch.planes[3].data();
  ops.split(chroma, source_.width / 2, u, v);
  ops.columns(u, chroma_taps, width, scratch.channels[1].data());
  ops.columns(v, chroma_taps, width, scratch.channels[2].data());
  ops.colours(y, scratch.channels[1].data(), scratch.channels[2].data(), width, out);
}

void PreprocessPlan::run_rows(Scratch& scratch, int begin, int end) {
  const PreprocessOps& ops = ops_of(level());
  const Picture source{
      picture_.data + crop_.y * picture_.stride + bytes_per_pixel(layout_) * crop_.x,
      picture_.stride};
  const int out_bytes = 3 * target_.width;
  const int row_bytes = bytes_per_pixel(layout_) * source_.width;
  const WindowsView windows = view(windows_, 3);
  const Picture chroma{
      picture_.data + (picture_size_.height + crop_.y / 2) * picture_.stride + crop_.x,
      picture_.stride};
  std::int16_t* const sums = scratch.sums.data();
  std::int16_t* const luma = scratch.planes[0].data();
  std::int16_t* const pairs = scratch.planes[1].data();
  for (int row = begin; row < end; ++row) {
    std::uint8_t* const out = out_.row(row);
    Ahead ahead{};
    if (row + kRowsAhead + 1 < target_.height)
      ahead = {source.data + rows_.begin(row + kRowsAhead) * source.stride,
               source.data + rows_.begin(row + kRowsAhead + 1) * source.stride};
    switch (layout_) {
      case Layout::bgr:
        sum_rows(rows_, source, row, row_bytes, scratch, sums);
        ops.columns_bgr(sums,
                        {columns_.count, columns_.first.data(), columns_.weights.data(),
                         windows_.usable ? &windows : nullptr, ahead},
                        target_.width, out);
        break;
      case Layout::grey:
        sum_rows(rows_, source, row, row_bytes, scratch, luma);
        convert_row(scratch, luma, nullptr, ahead, out);
        break;
      case Layout::yuyv:
        sum_rows(rows_, source, row, row_bytes, scratch, sums);
        ops.split(sums, source_.width, luma, pairs);
        convert_row(scratch, luma, pairs, ahead, out);
        break;
      case Layout::nv12:
        sum_rows(rows_, source, row, row_bytes, scratch, luma);
        sum_rows(chroma_rows_, chroma, row, row_bytes, scratch, pairs);
        convert_row(scratch, luma, pairs, ahead, out);
        break;
    }
    if (flip_) ops.flip(out_bytes, out);
    if (!table_.empty()) ops.table(table_.data(), out_bytes, out);
  }
}

PreprocessPlan::Job PreprocessPlan::start(Picture source, Plane out) {
  std::unique_lock<std::mutex> lock(mutex_);
  change_.wait(lock, [&] { return done_.load() == started_; });
  picture_ = source;
  out_ = out;
  strips_done_.store(0, std::memory_order_relaxed);
  const Job job = ++started_;
  next_.store(job << 16, std::memory_order_release);
  return job;
}

std::int64_t PreprocessPlan::finish(Job job) {
  while (done_.load(std::memory_order_acquire) < job) {
    if (Scratch* scratch = take_scratch()) {
      work(job, *scratch);
      scratch->taken.store(false, std::memory_order_release);
    }
    for (int i = 0; i < kSpins && done_.load(std::memory_order_acquire) < job; ++i) relax();
    std::unique_lock<std::mutex> lock(mutex_);
    // A bound, because whoever found both buffers taken has to look again.
    change_.wait_for(lock, std::chrono::milliseconds(1), [&] { return done_.load() >= job; });
  }
  return done_ns_[job % kJobs].load(std::memory_order_relaxed);
}

PreprocessPlan::Scratch* PreprocessPlan::take_scratch() {
  for (Scratch& scratch : scratch_)
    if (!scratch.taken.exchange(true, std::memory_order_acquire)) return &scratch;
  return nullptr;
}

// Picture and target belong to the job from the first strip taken to the last strip done.
bool PreprocessPlan::take_strip(Job job, int& strip) {
  std::uint64_t next = next_.load(std::memory_order_acquire);
  do {
    strip = static_cast<int>(next & 0xFFFF);
    if (next >> 16 != job || strip >= strips_) return false;
  } while (!next_.compare_exchange_weak(next, next + 1, std::memory_order_acquire));
  return true;
}

void PreprocessPlan::work(Job job, Scratch& scratch) {
  for (int strip = 0; take_strip(job, strip);) {
    run_rows(scratch, target_.height * strip / strips_, target_.height * (strip + 1) / strips_);
    if (strips_done_.fetch_add(1, std::memory_order_acq_rel) + 1 < strips_) continue;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      done_ns_[job % kJobs].store(now_ns(), std::memory_order_relaxed);
      done_.store(job, std::memory_order_release);
    }
    change_.notify_all();
  }
}

}  // namespace roadmask::kernels
