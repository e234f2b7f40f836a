// Free distance ahead, from the newest mask: what a decision system does with the stream.
//
//   subscribe SOCKET [FRAMES] [--allow-not-live]
//
// edge/examples/subscribe.py does the same in the same order.
#include <roadmask/subscriber.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

// The camera's place in the vehicle: measure yours.
constexpr double kCameraHeightM = 1.3;   // above the road
constexpr double kFieldOfViewDeg = 60.0; // horizontal
constexpr double kHorizon = 0.5;         // row of the horizon, as a fraction of the picture
constexpr double kCorridorM = 2.0;       // width that the vehicle needs
constexpr double kFarthestM = 60.0;      // what is farther is not judged
constexpr double kFreeShare = 0.9;       // of a row of the corridor
constexpr std::uint8_t kFlat = 1;

// Metres of road ahead, up to the first row whose corridor is not flat. Over a flat ground, a
// row r below the horizon shows the road at height x focal length / (r - horizon).
double free_distance_m(const roadmask::Mask& mask) {
  const auto& h = mask.header();
  const double focal_px =
      h.camera_width / 2.0 / std::tan(kFieldOfViewDeg * 3.14159265358979323846 / 360.0);
  const double horizon_px = kHorizon * h.camera_height;
  double free_m = 0.0;
  for (int row = static_cast<int>(mask.height()) - 1; row >= 0; --row) {
    const double below_px = h.scale_y * row + h.offset_y - horizon_px;
    if (below_px <= 0) break;
    const double distance_m = kCameraHeightM * focal_px / below_px;
    if (distance_m > kFarthestM) break;
    const double half_px = kCorridorM / 2 * focal_px / distance_m;
    const double left = (h.camera_width / 2.0 - half_px - h.offset_x) / h.scale_x;
    const double right = (h.camera_width / 2.0 + half_px - h.offset_x) / h.scale_x;
    const int first = std::max(0, static_cast<int>(std::floor(left)));
    const int last = std::min(static_cast<int>(mask.width()) - 1, static_cast<int>(std::ceil(right)));
    if (first > last) break;
    const std::uint8_t* pixels = mask.pixels() + static_cast<std::size_t>(row) * mask.stride();
    const auto flat = std::count(pixels + first, pixels + last + 1, kFlat);
    if (static_cast<double>(flat) < kFreeShare * (last - first + 1)) break;
    free_m = distance_m;
  }
  return free_m;
}

int main(int count, char** arguments) {
  std::string socket_path = roadmask::kDefaultSocket;
  long frames = -1;
  roadmask::Options options;
  for (int i = 1, position = 0; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--allow-not-live") {
      options.allow_not_live = true;
    } else if (position == 0) {
      socket_path = argument;
      ++position;
    } else if (position == 1 && (frames = std::atol(argument.c_str())) > 0) {
      ++position;
    } else {
      std::fprintf(stderr, "argument %s: expected subscribe SOCKET [FRAMES] [--allow-not-live]\n",
                   arguments[i]);
      return 2;
    }
  }

  roadmask::Subscriber subscriber(socket_path, options);
  roadmask::Mask mask;
  for (long seen = 0; seen != frames;) {
    if (!subscriber.receive(mask, std::chrono::milliseconds(250))) {
      std::printf("no mask: %s\n", subscriber.reason_text().c_str());
    } else {
      ++seen;
      std::printf("mask %llu %s age %.1f ms, free %.2f m\n",
                  static_cast<unsigned long long>(mask.sequence()), to_string(mask.mode()),
                  mask.age_ms(), free_distance_m(mask));
    }
    std::fflush(stdout);
  }
}
