#include "kernels/overlay.hpp"

#include <algorithm>
#include <cstring>

namespace roadmask::kernels {

void overlay(Picture frame, Picture mask, const std::uint8_t* palette, int alpha, Plane out,
             Size size) {
  constexpr int kColumns = 1024;
  const std::uint16_t a = static_cast<std::uint16_t>(alpha == 255 ? 256 : alpha);
  const std::uint16_t rest = static_cast<std::uint16_t>(256 - a);
  std::uint32_t colours[256];  // four bytes are stored at once, of which three count
  for (int i = 0; i < 256; ++i) {
    colours[i] = 0;
    std::memcpy(&colours[i], palette + 3 * i, 3);
  }
  std::uint8_t colour[3 * kColumns + 1];
  for (int y = 0; y < size.height; ++y) {
    for (int begin = 0; begin < size.width; begin += kColumns) {
      const int columns = std::min(kColumns, size.width - begin);
      const std::uint8_t* ids = mask.data + y * mask.stride + begin;
      for (int x = 0; x < columns; ++x) std::memcpy(colour + 3 * x, &colours[ids[x]], 4);
      const std::uint8_t* from = frame.data + y * frame.stride + 3 * begin;
      std::uint8_t* to = out.row(y) + 3 * begin;
      for (int i = 0; i < 3 * columns; ++i)
        to[i] = static_cast<std::uint8_t>(
            static_cast<std::uint16_t>(from[i] * rest + colour[i] * a + 128) >> 8);
    }
  }
}

}  // namespace roadmask::kernels
