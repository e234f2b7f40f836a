#include "kernels/steady/steady.hpp"

#include <algorithm>

#include "kernels/levels.hpp"

namespace roadmask::kernels {
namespace {

SteadyBlock block_of(Level level) {
#if defined(__x86_64__)
  if (level == Level::avx512) return steady_avx512;
  if (level == Level::avx2) return steady_avx2;
#elif defined(__aarch64__)
  if (level == Level::neon) return steady_neon;
#endif
  (void)level;
  return steady_scalar;
}

}  // namespace

SteadyPlan::SteadyPlan(const SteadyOptions& options) : options_(options) {
  const std::int64_t pixels = std::int64_t{options.logits.width} * options.logits.height;
  const std::int64_t blocks = (pixels + kSteadyBlock - 1) / kSteadyBlock;
  const auto planes = static_cast<std::size_t>(options.classes) * kSteadyBlock;
  state_.resize(static_cast<std::size_t>(blocks) * planes);
  scratch_.resize(2 * planes);
}

void SteadyPlan::run(const std::int8_t* logits, std::int8_t* out) {
  const std::int64_t planes = std::int64_t{options_.classes} * kSteadyBlock;
  const std::int32_t limit = options_.limit * kSteadySteps;
  // A state of no weight is the new frame.
  const std::int32_t slope = fresh_ ? 0 : options_.weight * kSteadyWhole / limit;
  const SteadyRun run{
      options_.classes, options_.first,          options_.guarded.data(), limit, slope,
      scratch_.data(),  scratch_.data() + planes};
  const SteadyBlock block = block_of(level());
  const std::int64_t pixels = std::int64_t{options_.logits.width} * options_.logits.height;
  std::int16_t* state = state_.data();
  for (std::int64_t begin = 0; begin < pixels; begin += kSteadyBlock, state += planes)
    block(run, logits + begin * options_.classes,
          static_cast<int>(std::min<std::int64_t>(kSteadyBlock, pixels - begin)), state,
          out + begin * options_.classes);
  fresh_ = false;
}

}  // namespace roadmask::kernels
