// Camera picture to the network's input: scale, colour order and quantisation in one pass.
//
// Rows first: a target row is the weighted sum of a few source rows, exact in int16 (weights of
// 1/256 over pixels less 128). Then columns, in int32. roadmask/kernels_reference.py defines it.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "kernels/taps.hpp"
#include "kernels/upsample/upsample.hpp"

namespace roadmask::kernels {

enum class Layout { bgr, grey, yuyv, nv12 };

// The same for the kernels, whose files must not share inline code with others.
struct WindowsView {
  int stride;  // sums between two source pixels
  const std::int32_t* start;
  const std::int16_t* index;
  const std::int16_t* weights;
};
// Pixels that a row soon to come will read: to be fetched from memory beside the arithmetic.
struct Ahead {
  const std::uint8_t* at;
  const std::uint8_t* end;
};
struct TapsView {
  int count;
  const std::int32_t* first;
  const std::int16_t* weights;
  const WindowsView* windows;  // null: not usable
  Ahead ahead;
};

struct PreprocessOps {
  // sum over i of weights[i] * (rows[i][x] - 128) for every byte x; `count` is even
  void (*rows)(const std::uint8_t* const* rows, const std::uint8_t* weights, int count, int bytes,
               std::int16_t* out);
  // BGR sums → RGB bytes
  void (*columns_bgr)(const std::int16_t* sums, TapsView taps, int width, std::uint8_t* out);
  // one channel of sums → bytes
  void (*columns)(const std::int16_t* sums, TapsView taps, int width, std::uint8_t* out);
  // every other sum → even, the ones between → odd
  void (*split)(const std::int16_t* sums, int pairs, std::int16_t* even, std::int16_t* odd);
  // YUV rows → RGB, BT.601 limited range
  void (*colours)(const std::uint8_t* y, const std::uint8_t* u, const std::uint8_t* v, int width,
                  std::uint8_t* out);
  void (*flip)(int bytes, std::uint8_t* in_out);  // uint8 → int8: the top bit
  void (*table)(const std::uint8_t* table, int bytes, std::uint8_t* in_out);
};

extern const PreprocessOps preprocess_scalar;
extern const PreprocessOps preprocess_neon;
extern const PreprocessOps preprocess_avx2;
extern const PreprocessOps preprocess_avx512;

// The part of a picture that is used, px.
struct Crop {
  int x;
  int y;
  Size size;
};

struct Picture {
  const std::uint8_t* data;
  std::ptrdiff_t stride;
};

// uint8 → int8: out = source with the top bit of every byte flipped.
void flip_top_bits(const std::uint8_t* source, std::ptrdiff_t bytes, std::uint8_t* out);

// Tables and buffers of one shape of picture and tensor; a run allocates nothing.
//
// A run is a job of strips of rows, which any thread may help with: the one that waits for the
// result has nothing else to do.
class PreprocessPlan {
 public:
  using Job = std::uint64_t;  // from 1, rising

  // `table` has 256 entries or none. Only `crop` of a picture is read, on even pixels for YUV.
  PreprocessPlan(Size picture, Crop crop, Size target, std::vector<std::uint8_t> table,
                 Layout layout);
  Size picture() const { return picture_size_; }
  Size target() const { return target_; }
  Layout layout() const { return layout_; }

  void run(Picture source, Plane out) { finish(start(source, out)); }
  // Begin a job, once the one before is done. Who starts it must finish it, and keep the memory
  // of both as long.
  Job start(Picture source, Plane out);
  // Work on the job until it is done; any thread, any number of times. Returns the time at which
  // it was done, ns CLOCK_BOOTTIME (of a later job, where eight have been done since).
  std::int64_t finish(Job job);
  bool is_done(Job job) const { return done_.load(std::memory_order_acquire) >= job; }

 private:
  // The rows that sum to a target row.
  struct RowTaps {
    Taps taps;
    std::vector<std::uint8_t> weights;
    int begin(int row) const;
  };
  // What one thread needs.
  struct Scratch {
    std::atomic<bool> taken{false};
    std::vector<const std::uint8_t*> rows;  // of the row at hand
    std::vector<std::int16_t> sums;
    std::array<std::vector<std::int16_t>, 4> planes;  // luma, chroma pairs, U, V
    std::array<std::vector<std::uint8_t>, 3> channels;
  };
  static constexpr int kThreads = 2;  // who comes third waits
  static constexpr int kJobs = 8;

  static RowTaps row_taps(int source, int target);
  static void sum_rows(const RowTaps& taps, Picture source, int row, int bytes, Scratch& scratch,
                       std::int16_t* out);
  Scratch* take_scratch();
  bool take_strip(Job job, int& strip);
  void work(Job job, Scratch& scratch);
  void run_rows(Scratch& scratch, int begin, int end);
  void convert_row(Scratch& scratch, const std::int16_t* luma, const std::int16_t* chroma,
                   Ahead ahead, std::uint8_t* out);

  Size picture_size_;
  Crop crop_;
  Size source_, target_;  // `source_` is the crop's size
  Layout layout_;
  std::vector<std::uint8_t> table_;
  RowTaps rows_, chroma_rows_;
  Taps columns_, chroma_columns_;
  Windows windows_, chroma_windows_;
  bool flip_ = false;
  std::array<Scratch, kThreads> scratch_;

  Picture picture_{};  // of the job under way, as is `out_`
  Plane out_{};
  int strips_ = 0;
  std::atomic<std::uint64_t> next_{0};  // job << 16 | next strip that nobody took
  std::atomic<int> strips_done_{0};
  std::atomic<Job> done_{0};  // last job that is done
  std::array<std::atomic<std::int64_t>, kJobs> done_ns_{};
  Job started_ = 0;
  std::mutex mutex_;  // guards `started_`, and the waits for `done_`
  std::condition_variable change_;
};

}  // namespace roadmask::kernels
