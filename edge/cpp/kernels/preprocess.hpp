// Camera picture to the network's input: scale, colour order and quantisation in one pass.
//
// Rows first: a target row is the weighted sum of a few source rows, exact in int16 (weights of
// 1/256 over pixels less 128). Then columns, in int32. roadmask/kernels_reference.py defines it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "kernels/upsample.hpp"

namespace roadmask::kernels {

enum class Layout { bgr, grey, yuyv, nv12 };

// The taps of one axis: `count` source pixels from `first[i]` for target pixel i.
struct Taps {
  int count = 0;                      // even
  std::vector<std::int32_t> first;    // never reads over the source's end but with weight 0
  std::vector<std::int16_t> weights;  // [target][count]
};
Taps axis_taps(int source, int target, int total);

// The taps as a kernel with 64-word permutes wants them: blocks of 16 results, a result being one
// channel of one pixel, each from a window of 64 interleaved sums.
struct Windows {
  std::vector<std::int32_t> start;   // [block] where the first pair's window begins
  std::vector<std::int16_t> index;   // [block][16][2] a result's pair within the window
  std::vector<std::int16_t> weights;  // [block][pair][16][2]
  bool usable = false;               // every pair lies within its window
};
Windows make_windows(const Taps& taps, int channels);

// The same for the kernels, whose files must not share inline code with others.
struct WindowsView {
  int stride;  // sums between two source pixels
  const std::int32_t* start;
  const std::int16_t* index;
  const std::int16_t* weights;
};
struct TapsView {
  int count;
  const std::int32_t* first;
  const std::int16_t* weights;
  const WindowsView* windows;  // null: not usable
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

struct Picture {
  const std::uint8_t* data;
  std::ptrdiff_t stride;
};

class PreprocessPlan {
 public:
  // `table` has 256 entries or none.
  PreprocessPlan(Size source, Size target, std::vector<std::uint8_t> table, Layout layout);
  Size source() const { return source_; }
  Size target() const { return target_; }
  Layout layout() const { return layout_; }
  void run(Picture source, std::uint8_t* out);

 private:
  // The rows that sum to a target row.
  struct RowTaps {
    Taps taps;
    std::vector<std::uint8_t> weights;
    std::vector<const std::uint8_t*> rows;  // of the row at hand
    void sum(const PreprocessOps& ops, Picture source, int y, int bytes, std::int16_t* out);
  };
  static RowTaps row_taps(int source, int target);
  void convert_row(const PreprocessOps& ops, const std::int16_t* luma, const std::int16_t* chroma,
                   std::uint8_t* out);

  Size source_, target_;
  Layout layout_;
  std::vector<std::uint8_t> table_;
  RowTaps rows_, chroma_rows_;
  Taps columns_, chroma_columns_;
  Windows windows_, chroma_windows_;
  bool flip_ = false;
  std::mutex mutex_;  // the buffers below serve one run at a time
  std::vector<std::int16_t> sums_;
  std::array<std::vector<std::int16_t>, 4> planes_;  // luma, chroma pairs, U, V
  std::array<std::vector<std::uint8_t>, 3> channels_;
};

}  // namespace roadmask::kernels
