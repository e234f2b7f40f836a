// The upsampling kernels, written once over a vector of int16 lanes; each upsample_LEVEL.cpp
// compiles them with its own flags. Everything here is local to the including file.
#pragma once

#include <cstring>

#include "kernels/upsample/upsample.hpp"

namespace roadmask::kernels {
namespace {

// (w, C) interleaved → C planes, the last column repeated once.
void planes_any(const std::int8_t* row, int width, int begin, int classes, std::int8_t* planes,
                std::ptrdiff_t stride) {
  for (int x = begin; x < width; ++x)
    for (int k = 0; k < classes; ++k) planes[k * stride + x] = row[x * classes + k];
  for (int k = 0; k < classes; ++k) planes[k * stride + width] = planes[k * stride + width - 1];
}

// The same by blocks of 8 columns of 8 classes. The last block of columns and of classes overlaps
// the one before it: no tail, no read outside.
template <void (*kBlock)(const std::int8_t*, std::ptrdiff_t, std::int8_t*, std::ptrdiff_t)>
void planes_blocks(const std::int8_t* row, int width, int classes, std::int8_t* planes,
                   std::ptrdiff_t stride) {
  if (width < 8 || classes < 8) return planes_any(row, width, 0, classes, planes, stride);
  for (int block = 0; block < width; block += 8) {
    const int x = block + 8 <= width ? block : width - 8;
    for (int class_block = 0; class_block < classes; class_block += 8) {
      const int k = class_block + 8 <= classes ? class_block : classes - 8;
      kBlock(row + x * classes + k, classes, planes + k * stride + x, stride);
    }
  }
  planes_any(row, width, width, classes, planes, stride);
}

// Fixed blocks of 64 columns: plain loops that the compiler turns into this level's vectors.
void winners_blocks(const std::int8_t* planes, std::ptrdiff_t stride, int width, int first,
                    int classes, const std::uint8_t* categories, int decisive,
                    std::uint8_t* winner) {
  for (int x = 0; x < width; x += 64) {
    alignas(64) std::int8_t best[64], rival[64];
    alignas(64) std::uint8_t won[64], category[64];
    const std::int8_t* plane = planes + first * stride + x;
    std::memcpy(best, plane, 64);
    std::memset(rival, -128, 64);
    std::memset(won, first, 64);
    if (decisive == 0) {
      for (int k = first + 1; k < classes; ++k) {
        plane = planes + k * stride + x;
        for (int i = 0; i < 64; ++i) {
          won[i] = plane[i] > best[i] ? static_cast<std::uint8_t>(k) : won[i];
          best[i] = plane[i] > best[i] ? plane[i] : best[i];
        }
      }
    } else {
      std::memset(category, categories[first], 64);
      for (int k = first + 1; k < classes; ++k) {
        plane = planes + k * stride + x;
        const std::uint8_t mine = categories[k];
        for (int i = 0; i < 64; ++i) {
          const std::int8_t loser = plane[i] > best[i] ? best[i] : plane[i];
          const std::int8_t other = loser > rival[i] ? loser : rival[i];
          rival[i] = category[i] == mine ? rival[i] : other;
          won[i] = plane[i] > best[i] ? static_cast<std::uint8_t>(k) : won[i];
          category[i] = plane[i] > best[i] ? mine : category[i];
          best[i] = plane[i] > best[i] ? plane[i] : best[i];
        }
      }
      for (int i = 0; i < 64; ++i) {
        const auto margin = static_cast<std::uint8_t>(best[i] - rival[i]);
        won[i] = margin < decisive ? 255 : won[i];
      }
    }
    std::memcpy(winner + x, won, 64);
  }
}

template <class V, bool kMargins>
void chunk_rows(const Band& b, int x, const std::int16_t* left, const std::int16_t* delta) {
  for (int y = b.row_begin; y < b.row_end; ++y) {
    const V g = V::set1(static_cast<std::int16_t>(b.rows[y].sixteenths));
    const auto value = [&](int k) {
      return V::add(V::load(left + k * V::kLanes), V::mul(g, V::load(delta + k * V::kLanes)));
    };
    V best = value(b.first);
    V category = V::set1(b.categories[b.first]);
    V rival = V::set1(-32768);
    for (int k = b.first + 1; k < b.classes; ++k) {
      const V v = value(k);
      const V mine = V::set1(b.categories[k]);
      if (kMargins) rival = V::select_equal(category, mine, rival, V::max(rival, V::min(best, v)));
      category = V::select_greater(v, best, mine, category);
      best = V::max(best, v);
    }
    std::uint8_t* out = b.mask.row(y) + x;
    if (!kMargins) {
      category.store_bytes(out);
      continue;
    }
    std::uint8_t margins[V::kLanes], confidences[V::kLanes], categories[V::kLanes];
    V::high_bytes(V::sub(best, rival)).store_bytes(margins);
    category.store_bytes(categories);
    for (int i = 0; i < V::kLanes; ++i) confidences[i] = b.confidence_table[margins[i]];
    if (b.threshold > 0)
      for (int i = 0; i < V::kLanes; ++i)
        categories[i] = confidences[i] < b.threshold ? 0 : categories[i];
    std::memcpy(out, categories, V::kLanes);
    if (b.confidence.data) std::memcpy(b.confidence.row(y) + x, confidences, V::kLanes);
  }
}

// left = 16 x the top row's blend, delta = bottom - top, of every class for kLanes columns.
template <class V>
void chunk_columns(const Band& b, int x, bool near, std::int16_t* left, std::int16_t* delta) {
  const int base = b.lower[x];
  if (near) {
    const typename V::Columns columns(b.pairs + x, b.pair_weights + x, base);
    for (int k = b.first; k < b.classes; ++k) {
      const V top = columns.blend(b.top + k * b.plane_stride + base);
      const V bottom = columns.blend(b.bottom + k * b.plane_stride + base);
      V::times16(top).store(left + k * V::kLanes);
      V::sub(bottom, top).store(delta + k * V::kLanes);
    }
    return;
  }
  for (int k = b.first; k < b.classes; ++k) {
    const std::int8_t* top = b.top + k * b.plane_stride;
    const std::int8_t* bottom = b.bottom + k * b.plane_stride;
    for (int i = 0; i < V::kLanes; ++i) {
      const int j = b.lower[x + i];
      const int upper = b.pair_weights[x + i] >> 8, lower = 16 - upper;
      const int above = lower * top[j] + upper * top[j + 1];
      const int below = lower * bottom[j] + upper * bottom[j + 1];
      left[k * V::kLanes + i] = static_cast<std::int16_t>(16 * above);
      delta[k * V::kLanes + i] = static_cast<std::int16_t>(below - above);
    }
  }
}

// Chunks may reach into cells that are already filled: they compute the same values again.
template <class V>
void stretch_chunks(const Band& band, Stretch stretch, bool near) {
  std::int16_t* left = band.scratch;
  std::int16_t* delta = band.scratch + band.classes * V::kLanes;
  for (int x = stretch.begin; x < stretch.end; x += V::kLanes) {
    const int start = x + V::kLanes <= band.width ? x : band.width - V::kLanes;
    chunk_columns<V>(band, start, near, left, delta);
    if (band.confidence_table)
      chunk_rows<V, true>(band, start, left, delta);
    else
      chunk_rows<V, false>(band, start, left, delta);
  }
}

void count_bytes(const std::uint8_t* row, int width, std::int64_t* counts) {
  constexpr int kBlock = 64, kBlocks = 255;  // a byte counts to 255
  std::int64_t rest = width;
  for (std::uint8_t k = 1; k < 8; ++k) {
    std::int64_t found = 0;
    for (int x = 0; x < width;) {
      alignas(64) std::uint8_t sums[kBlock] = {};
      for (int n = 0; n < kBlocks && x + kBlock <= width; ++n, x += kBlock)
        for (int i = 0; i < kBlock; ++i)
          sums[i] = static_cast<std::uint8_t>(sums[i] + (row[x + i] == k));
      int total = 0;
      for (int i = 0; i < kBlock; ++i) total += sums[i];
      if (x + kBlock > width)
        for (; x < width; ++x) total += row[x] == k;
      found += total;
    }
    counts[k] += found;
    rest -= found;
  }
  counts[0] += rest;
}

}  // namespace
}  // namespace roadmask::kernels
