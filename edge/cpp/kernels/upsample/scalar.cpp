// Upsampling without intrinsics: what every processor runs and the other levels are tested with.
#include "kernels/upsample/body.hpp"

namespace roadmask::kernels {
namespace {

struct Lanes {
  static constexpr int kLanes = 16;
  std::int16_t v[kLanes];

  template <class F>
  static Lanes each(F f) {
    Lanes r;
    for (int i = 0; i < kLanes; ++i) r.v[i] = static_cast<std::int16_t>(f(i));
    return r;
  }
  static Lanes set1(std::int16_t a) {
    return each([=](int) { return a; });
  }
  static Lanes load(const std::int16_t* p) {
    return each([=](int i) { return p[i]; });
  }
  void store(std::int16_t* p) const { std::memcpy(p, v, sizeof v); }
  void store_bytes(std::uint8_t* p) const {
    for (int i = 0; i < kLanes; ++i) p[i] = static_cast<std::uint8_t>(v[i]);
  }
  static Lanes add(const Lanes& a, const Lanes& b) {
    return each([&](int i) { return a.v[i] + b.v[i]; });
  }
  static Lanes sub(const Lanes& a, const Lanes& b) {
    return each([&](int i) { return a.v[i] - b.v[i]; });
  }
  static Lanes mul(const Lanes& a, const Lanes& b) {
    return each([&](int i) { return a.v[i] * b.v[i]; });
  }
  static Lanes times16(const Lanes& a) {
    return each([&](int i) { return a.v[i] * 16; });
  }
  static Lanes min(const Lanes& a, const Lanes& b) {
    return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static Lanes max(const Lanes& a, const Lanes& b) {
    return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static Lanes select_greater(const Lanes& a, const Lanes& b, const Lanes& yes, const Lanes& no) {
    return each([&](int i) { return a.v[i] > b.v[i] ? yes.v[i] : no.v[i]; });
  }
  static Lanes select_equal(const Lanes& a, const Lanes& b, const Lanes& yes, const Lanes& no) {
    return each([&](int i) { return a.v[i] == b.v[i] ? yes.v[i] : no.v[i]; });
  }
  static Lanes high_bytes(const Lanes& a) {
    return each([&](int i) { return static_cast<std::uint16_t>(a.v[i]) >> 8; });
  }

  // Reads of `near` chunks: pairs of neighbours by index, weighted and summed.
  struct Columns {
    const std::uint16_t* pairs;
    const std::uint16_t* weights;
    std::uint8_t base;
    Columns(const std::uint16_t* p, const std::uint16_t* w, int from)
        : pairs(p), weights(w), base(static_cast<std::uint8_t>(from)) {}
    Lanes blend(const std::int8_t* from) const {
      return each([&](int i) {
        const auto at = static_cast<std::uint8_t>((pairs[i] & 255) - base);
        const int upper = weights[i] >> 8;
        return (16 - upper) * from[at] + upper * from[at + 1];
      });
    }
  };
};

void planes(const std::int8_t* row, int width, int classes, std::int8_t* out,
            std::ptrdiff_t stride) {
  planes_any(row, width, 0, classes, out, stride);
}

}  // namespace

const UpsampleOps upsample_scalar = {Lanes::kLanes, planes, winners_blocks, stretch_chunks<Lanes>,
                                     count_bytes};

}  // namespace roadmask::kernels
