// What the lens checks look at, from one pass over the network's small RGB input.
#pragma once

#include <cstdint>

#include "kernels/upsample/upsample.hpp"

namespace roadmask::kernels {

struct SceneStats {
  double luma_mean;  // 0 to 255
  double luma_variance;
  double laplacian_energy;  // mean square of the 4-neighbour Laplacian inside the border
  double dark_fraction;     // of pixels with luma under 16
  double bright_fraction;   // of pixels with luma over 240
  std::uint64_t content_hash;
};

struct SceneSums {
  std::int64_t luma = 0;
  std::int64_t luma_square = 0;
  std::int64_t laplacian_square = 0;
  std::int64_t dark = 0;
  std::int64_t bright = 0;
};

struct SceneOps {
  void (*luma)(const std::uint8_t* rgb, int width, std::uint8_t* out);
  void (*sum)(const std::uint8_t* luma, int width, SceneSums* sums);
  void (*laplacian)(const std::uint8_t* above, const std::uint8_t* row, const std::uint8_t* below,
                    int width, SceneSums* sums);
  std::uint64_t (*hash)(const std::uint8_t* bytes, std::int64_t words);
};

extern const SceneOps scene_scalar;
extern const SceneOps scene_neon;
extern const SceneOps scene_avx2;
extern const SceneOps scene_avx512;

constexpr int kSceneWidth = 4096;  // the widest picture: rows of luma live on the stack

SceneStats scene_stats(const std::uint8_t* rgb, Size size);

}  // namespace roadmask::kernels
