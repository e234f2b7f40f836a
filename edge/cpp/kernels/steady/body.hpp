// Plain loops over planes that each level compiles with its own flags; local to the including file.
// All in integers: a half is rounded up, so every level gives the same bits.
#pragma once

#include "kernels/steady/steady.hpp"

namespace roadmask::kernels {
namespace {

constexpr int kNone = -1000;  // below every logit

// `Classes` 0: as many as `run` says. A number that is known lets the compiler shuffle.
template <int Classes>
void steady_planes(const SteadyRun& run, const std::int8_t* logits, int pixels, std::int16_t* state,
                   std::int8_t* out) {
  constexpr int n = kSteadyBlock;
  const int classes = Classes ? Classes : run.classes;
  std::int16_t* now = run.now;
  std::int16_t* blended = run.blended;
  for (int x = 0; x < pixels; ++x)
    for (int c = 0; c < classes; ++c) now[c * n + x] = logits[x * classes + c];

  // The weight falls from the state alone at no difference to the new frame alone at the limit.
  std::int16_t weight[n];
  {
    std::int16_t far[n] = {};
    for (int c = run.first; c < classes; ++c)
      for (int x = 0; x < n; ++x) {
        const auto d = static_cast<std::int16_t>(now[c * n + x] * kSteadySteps - state[c * n + x]);
        const auto size = static_cast<std::int16_t>(d < 0 ? -d : d);
        far[x] = size > far[x] ? size : far[x];
      }
    for (int x = 0; x < n; ++x) {
      const std::int32_t left = run.limit - far[x];
      weight[x] = static_cast<std::int16_t>(((left > 0 ? left : 0) * run.slope) >> 15);
    }
  }
  std::int16_t best[n], best_now[n], guard_now[n];  // the others, and guarded ones
  for (int x = 0; x < n; ++x) best[x] = best_now[x] = guard_now[x] = kNone;
  for (int c = run.first; c < classes; ++c) {
    std::int16_t* s = state + c * n;
    std::int16_t* b = blended + c * n;
    const std::int16_t* v = now + c * n;
    for (int x = 0; x < n; ++x) {
      const auto scaled = static_cast<std::int16_t>(v[x] * kSteadySteps);
      const auto d = static_cast<std::int16_t>(scaled - s[x]);
      const auto kept = static_cast<std::int16_t>((d * weight[x] + kSteadyWhole / 2) >> 15);
      s[x] = static_cast<std::int16_t>(scaled - kept);
      b[x] = static_cast<std::int16_t>((s[x] + kSteadySteps / 2) >> 7);
    }
    if (run.guarded[c]) {
      for (int x = 0; x < n; ++x) guard_now[x] = v[x] > guard_now[x] ? v[x] : guard_now[x];
    } else {
      for (int x = 0; x < n; ++x) {
        best_now[x] = b[x] > best[x] ? v[x] : best_now[x];
        best[x] = b[x] > best[x] ? b[x] : best[x];
      }
    }
  }
  // A guarded class never has less of a lead over another than the new frame gives it: guarded ones
  // stay as they are, the others are lowered by what the best of them was raised, and never raised.
  // Interpolation is linear, so this holds at every pixel of the mask. Where a guarded class is
  // ahead of that best one already, the new frame counts alone.
  std::int16_t lower[n], alone[n];
  for (int x = 0; x < n; ++x) {
    const int up = best[x] - best_now[x];
    lower[x] = static_cast<std::int16_t>(up > 0 ? up : 0);
    const std::int16_t least = best[x] < best_now[x] ? best[x] : best_now[x];
    alone[x] = guard_now[x] > least ? -1 : 0;
  }
  for (int c = run.first; c < classes; ++c) {
    std::int16_t* v = now + c * n;
    const std::int16_t* b = blended + c * n;
    if (run.guarded[c]) continue;
    for (int x = 0; x < n; ++x) {
      auto lowered = static_cast<std::int16_t>(b[x] - lower[x]);
      lowered = lowered > -128 ? lowered : std::int16_t{-128};
      v[x] = !alone[x] && lowered < v[x] ? lowered : v[x];
    }
  }
  for (int x = 0; x < pixels; ++x)
    for (int c = 0; c < classes; ++c)
      out[x * classes + c] = static_cast<std::int8_t>(now[c * n + x]);
}

void steady_block(const SteadyRun& run, const std::int8_t* logits, int pixels, std::int16_t* state,
                  std::int8_t* out) {
  run.classes == 8 ? steady_planes<8>(run, logits, pixels, state, out)
                   : steady_planes<0>(run, logits, pixels, state, out);
}

}  // namespace
}  // namespace roadmask::kernels
