// Logits to mask: bilinear upsampling, argmax, confidence and category counts in one pass.
//
// roadmask/kernels_reference.py defines the result; this is how it is reached fast. Weights are
// sixteenths, so a blend of int8 logits is exact in int16, and so is the argument that most of the
// mask rests on: a blend is a convex combination, hence a class that wins at the four corners of a
// cell wins everywhere in it (ties too: at each corner the lower classes are strictly less), and
// its margin is nowhere under the least corner margin. Such cells are filled; only cells with an
// edge of the mask in them, or a margin that still changes the outcome, are computed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace roadmask::kernels {

using Counts = std::array<std::int64_t, 8>;  // of 1 to 7; whatever is none of them counts as 0

// In a table of categories: the label set has no such class.
constexpr std::uint8_t kUnknown = 255;

// Pixels of each category, and of the void ones those that a NaN, an infinity or an unknown class
// made.
struct Filled {
  Counts counts{};
  std::int64_t invalid = 0;
};

// What the values of an output are: what a confidence is made of.
enum class Scores { logits, softmax, sigmoid };

struct Size {
  int width;
  int height;
};

// The part of an axis that shows the picture: `length` of `total` px, behind `begin` of padding.
struct Window {
  int begin;
  int length;
  int total;
};

struct Plane {
  std::uint8_t* data;  // null: not wanted
  std::ptrdiff_t stride;
  std::uint8_t* row(int y) const { return data + y * stride; }
};

struct UpsampleOptions {
  Size logits;
  Size mask;
  int classes;                                 // 2 to 255
  std::vector<std::uint8_t> categories;        // of each class, or another id to show; kUnknown
  int first;                                   // first class that competes
  std::vector<std::uint8_t> confidence_table;  // 256 entries, or empty
  int threshold;                               // 0: no abstention
  float step;                                  // margin of float logits per table entry; of
                                               // probabilities, what a value of 1 stands for
  Window columns;                              // of the network's input that the mask shows
  Window rows;
  Scores scores = Scores::logits;
};

// Where a target row or column lies between two of the source.
struct Position {
  int lower;
  int sixteenths;
};
std::vector<Position> bilinear_positions(int source, int target, Window window);

// A stretch of columns of one band of rows, to be computed in full.
struct Stretch {
  int begin;
  int end;
};

// What the level's code needs to compute stretches of the rows between two rows of logits.
struct Band {
  const std::int8_t* top;  // planes [classes][plane_stride], last column repeated
  const std::int8_t* bottom;
  std::ptrdiff_t plane_stride;
  int classes;
  int first;
  const std::uint8_t* categories;
  const std::uint8_t* confidence_table;  // null: no margins
  int threshold;
  const std::int32_t* lower;          // [width] lower source column
  const std::uint16_t* pairs;         // [width] bytes lower, lower + 1, modulo 256
  const std::uint16_t* pair_weights;  // [width] bytes 16 - f, f
  int width;
  int row_begin;
  int row_end;
  const Position* rows;
  Plane mask;
  Plane confidence;
  std::int16_t* scratch;  // 2 * classes * 32
};

struct UpsampleOps {
  int lanes;
  void (*planes)(const std::int8_t* row, int width, int classes, std::int8_t* planes,
                 std::ptrdiff_t stride);
  // winner[x] = class that wins at x, or 255 where its margin is under `decisive`
  void (*winners)(const std::int8_t* planes, std::ptrdiff_t stride, int width, int first,
                  int classes, const std::uint8_t* categories, int decisive, std::uint8_t* winner);
  // `near`: every `lanes` columns read at most 16 columns of logits
  void (*stretch)(const Band& band, Stretch stretch, bool near);
  void (*count)(const std::uint8_t* row, int width, std::int64_t* counts);
};

// Unknown pixels of a row become void of no confidence (`confidences` may be null); how many they
// were.
std::int64_t clear_unknown(std::uint8_t* categories, std::uint8_t* confidences, int width);

extern const UpsampleOps upsample_scalar;
extern const UpsampleOps upsample_neon;
extern const UpsampleOps upsample_avx2;
extern const UpsampleOps upsample_avx512;

// Every table and buffer of one shape of logits and mask; a run allocates nothing.
class UpsamplePlan {
 public:
  explicit UpsamplePlan(const UpsampleOptions& options);
  const UpsampleOptions& options() const { return options_; }
  // Probabilities as int8 have no confidence: give them as float.
  Filled run(const std::int8_t* logits, Plane mask, Plane confidence);
  Filled run(const float* logits, Plane mask, Plane confidence);

 private:
  const std::int8_t* planes_of(const std::int8_t* logits, int row, const UpsampleOps& ops);
  Counts run_any(const std::int8_t* logits, Plane mask, Plane confidence);
  Counts run_wide(const std::int8_t* logits, Plane mask, Plane confidence);
  void fill(const std::uint8_t* top, const std::uint8_t* bottom, int lanes);
  int widest_near() const;

  UpsampleOptions options_;
  std::vector<Position> rows_;
  std::vector<std::int32_t> lower_;
  std::vector<std::int32_t> sixteenths_;
  std::vector<std::uint16_t> pairs_;
  std::vector<std::uint16_t> pair_weights_;
  std::vector<std::int32_t> cell_begin_;  // first column whose lower source column is at least i
  int near_lanes_ = 0;
  int decisive_ = 0;  // corner margin from which the outcome cannot change
  int decisive_with_plane_ = 0;
  bool knows_all_ = true;  // every class has a category
  std::ptrdiff_t plane_stride_ = 0;
  std::mutex mutex_;  // the buffers below serve one run at a time
  std::array<std::vector<std::int8_t>, 2> planes_;
  std::array<std::vector<std::uint8_t>, 2> winners_;
  std::array<int, 2> held_{{-1, -1}};
  std::vector<std::uint8_t> cells_;
  std::vector<std::uint8_t> template_;
  std::vector<Stretch> stretches_;
  std::vector<std::int16_t> scratch_;
  std::vector<std::uint8_t> narrow_;  // rows of a mask that is narrower than a chunk
  std::vector<float> float_rows_;
};

}  // namespace roadmask::kernels
