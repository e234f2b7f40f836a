// A temporal filter on int8 logits: what hardly differs from the frames before is blended with
// them.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/upsample/upsample.hpp"

namespace roadmask::kernels {

constexpr int kSteadyBlock = 64;     // pixels that are worked on at once, plane by plane
constexpr int kSteadySteps = 128;    // of the state, to one step of the logits
constexpr int kSteadyWhole = 32768;  // of a weight

// `guarded`: for each class, 1 for one whose pixels the filter never takes away.
struct SteadyOptions {
  Size logits;
  int classes;
  int first;  // class that competes
  std::vector<std::uint8_t> guarded;
  int weight;  // of the state where nothing differs, 0 to 32767
  int limit;   // logit steps, 1 to 255: from this difference on the new frame counts alone
};

struct SteadyRun {
  int classes, first;
  const std::uint8_t* guarded;
  std::int32_t limit, slope;
  std::int16_t* now;      // classes x kSteadyBlock
  std::int16_t* blended;  // the same
};

// One block of `pixels` <= kSteadyBlock: logits and out [pixels][classes], state
// [classes][kSteadyBlock].
using SteadyBlock = void (*)(const SteadyRun& run, const std::int8_t* logits, int pixels,
                             std::int16_t* state, std::int8_t* out);

extern const SteadyBlock steady_scalar;
extern const SteadyBlock steady_neon;
extern const SteadyBlock steady_avx2;
extern const SteadyBlock steady_avx512;

class SteadyPlan {
 public:
  explicit SteadyPlan(const SteadyOptions& options);
  const SteadyOptions& options() const { return options_; }
  // The next run's logits count alone.
  void reset() { fresh_ = true; }
  // [height][width][classes]; `out` may be `logits`.
  void run(const std::int8_t* logits, std::int8_t* out);

 private:
  SteadyOptions options_;
  bool fresh_ = true;
  std::vector<std::int16_t> state_, scratch_;
};

}  // namespace roadmask::kernels
