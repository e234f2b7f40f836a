// Plain loops that each scene_LEVEL.cpp compiles with its own flags; local to the including file.
#pragma once

#include <cstring>

#include "kernels/scene/scene.hpp"

namespace roadmask::kernels {
namespace {

// BT.601 in 1 / 256.
void luma_row(const std::uint8_t* rgb, int width, std::uint8_t* out) {
  for (int x = 0; x < width; ++x)
    out[x] = static_cast<std::uint8_t>(static_cast<std::uint16_t>(77 * rgb[3 * x] +
                                                                  150 * rgb[3 * x + 1] +
                                                                  29 * rgb[3 * x + 2] + 128) >>
                                       8);
}

void sum_row(const std::uint8_t* luma, int width, SceneSums* sums) {
  std::int32_t sum = 0, square = 0, dark = 0, bright = 0;  // of at most 4096 pixels
  for (int x = 0; x < width; ++x) {
    const std::int32_t y = luma[x];
    sum += y;
    square += y * y;
    dark += y < 16;
    bright += y > 240;
  }
  sums->luma += sum;
  sums->luma_square += square;
  sums->dark += dark;
  sums->bright += bright;
}

void laplacian_row(const std::uint8_t* above, const std::uint8_t* row, const std::uint8_t* below,
                   int width, SceneSums* sums) {
  constexpr int kBlock = 1024;  // 1020^2 x 1024 fits 32 bits
  for (int begin = 1; begin < width - 1; begin += kBlock) {
    const int end = begin + kBlock < width - 1 ? begin + kBlock : width - 1;
    std::int32_t sum = 0;
    for (int x = begin; x < end; ++x) {
      const auto edge =
          static_cast<std::int16_t>(4 * row[x] - row[x - 1] - row[x + 1] - above[x] - below[x]);
      sum += edge * edge;
    }
    sums->laplacian_square += sum;
  }
}

// A sum of mixed words: independent terms, so that it runs as wide as the processor is.
std::uint64_t hash_words(const std::uint8_t* bytes, std::int64_t words) {
  std::uint64_t sum = 0;
  for (std::int64_t i = 0; i < words; ++i) {
    std::uint64_t word;
    std::memcpy(&word, bytes + 8 * i, 8);
    word += static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15U;
    word ^= word >> 32;
    sum += word * 0xD6E8FEB86659FD93U;
  }
  return sum;
}

}  // namespace
}  // namespace roadmask::kernels
