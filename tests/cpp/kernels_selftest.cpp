// Every level that this processor runs against the scalar one, over random shapes and contents.
// The scalar level against NumPy is tests/edge/kernels/test_kernels.py; this one also runs where
// there is no Python: under sanitizers, and cross-compiled under an emulator.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "kernels/levels.hpp"
#include "kernels/nearest.hpp"
#include "kernels/overlay.hpp"
#include "kernels/preprocess/preprocess.hpp"
#include "kernels/scene/scene.hpp"
#include "kernels/steady/steady.hpp"
#include "kernels/upsample/upsample.hpp"

namespace k = roadmask::kernels;

namespace {

std::mt19937 random_bits(20);
int failures = 0;
int checks = 0;

int between(int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random_bits);
}

// Exactly sized on the heap, so that a sanitizer sees one byte too many.
struct Bytes {
  explicit Bytes(std::size_t n) : size(n), data(new std::uint8_t[n]) {}
  static Bytes noise(std::size_t n) {
    Bytes bytes(n);
    for (std::size_t i = 0; i < n; ++i) bytes.data[i] = static_cast<std::uint8_t>(random_bits());
    return bytes;
  }
  bool operator==(const Bytes& other) const {
    return size == other.size && std::memcmp(data.get(), other.data.get(), size) == 0;
  }
  std::size_t size;
  std::unique_ptr<std::uint8_t[]> data;
};

void check(bool same, const char* what, k::Level level, k::Size from, k::Size to) {
  ++checks;
  if (same) return;
  ++failures;
  std::printf("%s: %s differs from scalar, %d x %d to %d x %d\n", what, k::name(level), from.width,
              from.height, to.width, to.height);
}

// Flat regions with noise on top: stretches of every length, ties, and saturated margins.
Bytes region_logits(k::Size size, int classes) {
  Bytes logits(static_cast<std::size_t>(size.width * size.height * classes));
  const int cell = between(1, 9), noise = between(0, 40);
  const unsigned salt = random_bits();
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x)
      for (int c = 0; c < classes; ++c) {
        const unsigned region = (static_cast<unsigned>(y / cell) * 73856093U) ^
                                (static_cast<unsigned>(x / cell) * 19349663U) ^ salt;
        const bool winner = static_cast<int>(region % static_cast<unsigned>(classes)) == c;
        const int value = (winner ? 100 : -40) + between(-noise, noise);
        logits.data[static_cast<std::size_t>((y * size.width + x) * classes + c)] =
            static_cast<std::uint8_t>(std::clamp(value, -128, 127));
      }
  return logits;
}

void test_upsample() {
  const k::Size from{between(1, 70), between(1, 30)};
  const bool factor_four = between(0, 2) == 0;
  const k::Size to = factor_four ? k::Size{4 * from.width, 4 * from.height}
                                 : k::Size{between(1, 300), between(1, 90)};
  const int classes = between(2, 33);
  const k::Window all_columns{0, to.width, to.width}, all_rows{0, to.height, to.height};
  k::UpsampleOptions options{from, to, classes, {},          between(0, classes - 1),
                             {},   0,  0.1F,    all_columns, all_rows};
  for (int c = 0; c < classes; ++c)
    options.categories.push_back(between(0, 9) ? static_cast<std::uint8_t>(between(0, 7))
                                               : k::kUnknown);
  const int kind = between(0, 2);
  for (int i = 0; kind && i < 256; ++i)
    options.confidence_table.push_back(
        static_cast<std::uint8_t>(kind == 1 ? std::min(255, 128 + 2 * i) : between(0, 255)));
  if (kind && between(0, 1)) options.threshold = between(1, 255);
  const Bytes logits =
      between(0, 3) ? region_logits(from, classes)
                    : Bytes::noise(static_cast<std::size_t>(from.width * from.height * classes));
  const std::size_t pixels = static_cast<std::size_t>(to.width * to.height);
  k::UpsamplePlan plan(options);
  const bool with_plane = kind && between(0, 1);
  const auto run = [&](k::Level level, Bytes& mask, Bytes& confidence) {
    k::set_level(level);
    return plan.run(reinterpret_cast<const std::int8_t*>(logits.data.get()),
                    k::Plane{mask.data.get(), to.width},
                    k::Plane{with_plane ? confidence.data.get() : nullptr, to.width});
  };
  Bytes mask(pixels), confidence(pixels);
  std::memset(confidence.data.get(), 0, pixels);
  const k::Filled filled = run(k::Level::scalar, mask, confidence);
  for (k::Level level : k::available_levels()) {
    Bytes other(pixels), other_confidence(pixels);
    std::memset(other_confidence.data.get(), 0, pixels);
    const k::Filled again = run(level, other, other_confidence);
    check(again.counts == filled.counts && again.invalid == filled.invalid && other == mask &&
              other_confidence == confidence,
          "upsample", level, from, to);
  }
  k::Counts seen{};
  for (std::size_t i = 0; i < pixels; ++i) ++seen[mask.data[i] & 7U];
  check(seen == filled.counts, "counts", k::Level::scalar, from, to);
  // The definition itself, at a few pixels: no shortcut, no plan.
  const auto rows = k::bilinear_positions(from.height, to.height, all_rows);
  const auto columns = k::bilinear_positions(from.width, to.width, all_columns);
  for (int n = 0; n < 20 && options.threshold == 0; ++n) {
    const int y = between(0, to.height - 1), x = between(0, to.width - 1);
    int best = -(1 << 30), winner = 0;
    for (int c = options.first; c < classes; ++c) {
      const auto at = [&](int r, int q) {
        r = std::min(r, from.height - 1), q = std::min(q, from.width - 1);
        return static_cast<std::int8_t>(
            logits.data[static_cast<std::size_t>((r * from.width + q) * classes + c)]);
      };
      const auto [r, g] = rows[static_cast<std::size_t>(y)];
      const auto [q, f] = columns[static_cast<std::size_t>(x)];
      const int value = (16 - g) * ((16 - f) * at(r, q) + f * at(r, q + 1)) +
                        g * ((16 - f) * at(r + 1, q) + f * at(r + 1, q + 1));
      if (value > best) best = value, winner = c;
    }
    const std::uint8_t category = options.categories[static_cast<std::size_t>(winner)];
    check(mask.data[static_cast<std::size_t>(y * to.width + x)] ==
              (category == k::kUnknown ? 0 : category),  // unknown is void
          "upsample (definition)", k::Level::scalar, from, to);
  }
}

void test_preprocess() {
  k::Size from{between(1, 400), between(1, 120)};
  const k::Size to{between(1, 150), between(1, 60)};
  const auto layout = static_cast<k::Layout>(between(0, 3));
  if (layout == k::Layout::yuyv || layout == k::Layout::nv12)
    from = {2 * ((from.width + 1) / 2), 2 * ((from.height + 1) / 2)};
  const int channels = layout == k::Layout::bgr ? 3 : layout == k::Layout::yuyv ? 2 : 1;
  const int rows = layout == k::Layout::nv12 ? from.height / 2 * 3 : from.height;
  const int gap = between(0, 5), stride = from.width * channels + gap;
  std::vector<std::uint8_t> table;
  const int kind = between(0, 2);
  for (int i = 0; kind && i < 256; ++i)
    table.push_back(static_cast<std::uint8_t>(kind == 1 ? i ^ 0x80 : between(0, 255)));
  // The last row ends with its pixels.
  const Bytes source = Bytes::noise(static_cast<std::size_t>(rows * stride - gap));
  k::PreprocessPlan plan(from, {0, 0, from}, to, table, layout);
  const std::size_t size = static_cast<std::size_t>(3 * to.width * to.height);
  Bytes expected(size);
  k::set_level(k::Level::scalar);
  plan.run({source.data.get(), stride}, {expected.data.get(), 3 * to.width});
  for (k::Level level : k::available_levels()) {
    Bytes out(size);
    k::set_level(level);
    plan.run({source.data.get(), stride}, {out.data.get(), 3 * to.width});
    check(out == expected, "preprocess", level, from, to);
  }
}

void test_scene() {
  const k::Size size{between(1, 600), between(1, 20)};
  const Bytes rgb = Bytes::noise(static_cast<std::size_t>(3 * size.width * size.height));
  k::set_level(k::Level::scalar);
  const k::SceneStats expected = k::scene_stats(rgb.data.get(), size);
  for (k::Level level : k::available_levels()) {
    k::set_level(level);
    const k::SceneStats got = k::scene_stats(rgb.data.get(), size);
    check(got.content_hash == expected.content_hash && got.luma_mean == expected.luma_mean &&
              got.luma_variance == expected.luma_variance &&
              got.laplacian_energy == expected.laplacian_energy &&
              got.dark_fraction == expected.dark_fraction &&
              got.bright_fraction == expected.bright_fraction,
          "scene", level, size, size);
  }
}

void test_steady() {
  const k::Size size{between(1, 40), between(1, 12)};
  const int classes = between(0, 1) ? 8 : between(2, 33);
  k::SteadyOptions options{size, classes,           between(0, classes - 1),
                           {},   between(0, 32767), between(1, 255)};
  for (int c = 0; c < classes; ++c)
    options.guarded.push_back(static_cast<std::uint8_t>(between(0, 3) == 0));
  const std::vector<k::Level> levels = k::available_levels();
  std::vector<k::SteadyPlan> plans(levels.size(), k::SteadyPlan(options));
  const auto values = static_cast<std::size_t>(size.width * size.height * classes);
  Bytes logits = region_logits(size, classes);
  for (int frame = 0; frame < 4; ++frame) {
    for (std::size_t i = 0; i < values; ++i)  // frames that resemble each other, at the ends too
      logits.data[i] = static_cast<std::uint8_t>(
          std::clamp(static_cast<std::int8_t>(logits.data[i]) + between(-20, 20), -128, 127));
    Bytes expected(values);
    for (std::size_t l = 0; l < levels.size(); ++l) {
      Bytes out(values);
      std::memcpy(out.data.get(), logits.data.get(), values);
      k::set_level(levels[l]);
      auto* data = reinterpret_cast<std::int8_t*>(out.data.get());
      plans[l].run(data, data);
      if (l == 0)
        std::memcpy(expected.data.get(), out.data.get(), values);
      else
        check(out == expected, "steady", levels[l], size, size);
      check(frame > 0 || out == logits, "steady (first frame)", levels[l], size, size);
    }
  }
}

void test_nearest_and_overlay() {
  const k::Size from{between(1, 90), between(1, 50)}, to{between(1, 2500), between(1, 60)};
  const Bytes ids = Bytes::noise(static_cast<std::size_t>(from.width * from.height));
  const std::size_t pixels = static_cast<std::size_t>(to.width * to.height);
  Bytes mask(pixels);
  const std::uint8_t table[4] = {3, 1, 7, 0};
  const k::Filled filled =
      k::nearest_map(ids.data.get(), from, {mask.data.get(), to.width}, to, table, 4,
                     {0, to.width, to.width}, {0, to.height, to.height});
  std::int64_t total = 0;
  for (std::int64_t count : filled.counts) total += count;
  check(total == to.width * std::int64_t{to.height} && filled.invalid <= filled.counts[0],
        "nearest", k::Level::scalar, from, to);
  const Bytes palette = Bytes::noise(3 * 256);
  Bytes frame = Bytes::noise(3 * pixels);
  const std::uint8_t last = frame.data[3 * pixels - 1];
  k::overlay({frame.data.get(), 3 * to.width}, {mask.data.get(), to.width}, palette.data.get(), 0,
             {frame.data.get(), 3 * to.width}, to);
  check(frame.data[3 * pixels - 1] == last, "overlay", k::Level::scalar, to, to);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 300;
  for (int i = 0; i < rounds; ++i) {
    test_upsample();
    test_preprocess();
    test_scene();
    test_steady();
    test_nearest_and_overlay();
  }
  std::printf("%d checks, %d failures; levels:", checks, failures);
  for (k::Level level : k::available_levels()) std::printf(" %s", k::name(level));
  std::printf("\n");
  return failures ? 1 : 0;
}
