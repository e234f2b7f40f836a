#include "kernels/scene/scene.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/levels.hpp"

namespace roadmask::kernels {
namespace {

const SceneOps& ops_of(Level level) {
#if defined(__x86_64__)
  if (level == Level::avx512) return scene_avx512;
  if (level == Level::avx2) return scene_avx2;
#elif defined(__aarch64__)
  if (level == Level::neon) return scene_neon;
#endif
  (void)level;
  return scene_scalar;
}

}  // namespace

SceneStats scene_stats(const std::uint8_t* rgb, Size size) {
  const SceneOps& ops = ops_of(level());
  std::uint8_t rows[3][kSceneWidth];
  SceneSums sums;
  const std::ptrdiff_t bytes = 3 * static_cast<std::ptrdiff_t>(size.width);
  for (int y = 0; y < size.height; ++y) {
    ops.luma(rgb + y * bytes, size.width, rows[y % 3]);
    ops.sum(rows[y % 3], size.width, &sums);
    if (y >= 2) ops.laplacian(rows[(y - 2) % 3], rows[(y - 1) % 3], rows[y % 3], size.width, &sums);
  }
  const std::int64_t total = bytes * size.height, words = total / 8;
  std::uint8_t tail[8] = {};
  std::memcpy(tail, rgb + 8 * words, static_cast<std::size_t>(total % 8));
  std::uint64_t last;
  std::memcpy(&last, tail, 8);

  const double pixels = static_cast<double>(size.width) * size.height;
  const double inner =
      static_cast<double>(std::max(size.width - 2, 0)) * std::max(size.height - 2, 0);
  const double mean = static_cast<double>(sums.luma) / pixels;
  return {mean,
          static_cast<double>(sums.luma_square) / pixels - mean * mean,
          inner > 0 ? static_cast<double>(sums.laplacian_square) / inner : 0.0,
          static_cast<double>(sums.dark) / pixels,
          static_cast<double>(sums.bright) / pixels,
          (ops.hash(rgb, words) ^ last) + static_cast<std::uint64_t>(total)};
}

}  // namespace roadmask::kernels
