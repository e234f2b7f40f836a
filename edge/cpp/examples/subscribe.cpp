// Free distance ahead, from the newest mask: what a decision system does with the stream.
//
//   subscribe SOCKET [FRAMES] [--allow-not-live]
//
// edge/examples/subscribe.py does the same in the same order.
#include <roadmask/subscriber.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

// The camera's place in the vehicle: measure yours.
constexpr double kCameraHeightM = 1.3;   // above the road
constexpr double kFieldOfViewDeg = 60.0; // horizontal
constexpr double kHorizon = 0.5;         // row of the horizon, as a fraction of the picture
constexpr double kCorridorM = 2.0;       // width that the vehicle needs
constexpr double kFarthestM = 60.0;      // what is farther is not judged
constexpr double kCarefulM = 20.0;       // a DEGRADED mask is believed no farther
constexpr double kFreeShare = 0.9;  // of a row of the corridor: the rest may be a line or a leaf
constexpr std::uint8_t kFlat = 1, kHuman = 6, kVehicle = 7;

// Whether the vehicle may pass: one pixel of a human or a vehicle is never averaged away.
bool is_free(const std::uint8_t* first, const std::uint8_t* end) {
  if (std::any_of(first, end, [](auto id) { return id == kHuman || id == kVehicle; })) return false;
  return static_cast<double>(std::count(first, end, kFlat)) >= kFreeShare * double(end - first);
}

// Metres of road ahead, up to the first row whose corridor is not free. Over a flat ground, a
// row r below the horizon shows the road at height x focal length / (r - horizon).
double free_distance_m(const roadmask::Mask& mask) {
  const auto& h = mask.header();
  const double focal_px =
      h.camera_width / 2.0 / std::tan(kFieldOfViewDeg * 3.14159265358979323846 / 360.0);
  const double horizon_px = kHorizon * h.camera_height;
  double free_m = 0.0;
  for (int row = static_cast<int>(mask.height()) - 1; row >= 0; --row) {
    const double below_px = h.scale_y * row + h.offset_y - horizon_px;
    if (!(below_px > 0)) break;
    const double distance_m = kCameraHeightM * focal_px / below_px;
    if (!(distance_m <= kFarthestM)) break;
    const double half_px = kCorridorM / 2 * focal_px / distance_m;
    // Kept within the mask before they become whole numbers: a scale may be anything.
    const double left = std::max(0.0, (h.camera_width / 2.0 - half_px - h.offset_x) / h.scale_x);
    const double right = std::min(mask.width() - 1.0,
                                  (h.camera_width / 2.0 + half_px - h.offset_x) / h.scale_x);
    if (!(left <= right)) break;
    const std::uint8_t* pixels = mask.pixels() + static_cast<std::size_t>(row) * mask.stride();
    const auto first = static_cast<std::ptrdiff_t>(std::floor(left));
    const auto last = static_cast<std::ptrdiff_t>(std::ceil(right));
    if (!is_free(pixels + first, pixels + last + 1)) break;
    free_m = distance_m;
  }
  return free_m;
}

// What the mask is good for.
std::string decide(const roadmask::Mask& mask) {
  const double free_m = free_distance_m(mask);
  const bool ok = mask.mode() == roadmask::Mode::OK;
  char text[64];
  std::snprintf(text, sizeof text, ok ? "free %.2f m" : "free %.2f m, carefully",
                ok ? free_m : std::min(free_m, kCarefulM));
  return text;
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

  // What nobody should drive on is refused already: see Options::refuse for the reasons.
  roadmask::Subscriber subscriber(socket_path, options);
  roadmask::Mask mask;
  for (long seen = 0; seen != frames;) {
    if (!subscriber.receive(mask, std::chrono::milliseconds(250))) {
      std::printf("stop: no mask: %s\n", subscriber.reason_text().c_str());
    } else {
      ++seen;
      const std::string reasons =
          mask.reasons() ? " " + roadmask::reason_names(mask.reasons()) : std::string();
      std::printf("mask %llu %s%s age %.1f ms, %s\n",
                  static_cast<unsigned long long>(mask.sequence()), to_string(mask.mode()),
                  reasons.c_str(), mask.age_ms(), decide(mask).c_str());
    }
    std::fflush(stdout);
  }
}
