// Free distance ahead, from the newest mask: what a decision system does with the stream.
//
//   subscribe SOCKET [FRAMES] [--allow-not-live] [--max-age-ms N]
//
// edge/examples/subscribe.py does the same in the same order.
#include <roadmask/products.hpp>
#include <roadmask/subscriber.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

// The camera's place in the vehicle, where the daemon's [camera] does not tell it: measure yours.
constexpr double kCameraHeightM = 1.3;        // above the road
constexpr double kFieldOfViewDeg = 60.0;      // horizontal
constexpr double kPitchDeg = 0.0;             // how far it looks down
constexpr double kPitchUncertaintyDeg = 0.5;  // the true pitch is no further off, at any load
constexpr double kCorridorM = 2.0;            // width that the vehicle needs
constexpr double kFarthestM = 60.0;           // what is farther is not judged
constexpr double kCarefulM = 20.0;            // a DEGRADED mask is believed no farther

namespace products = roadmask::products;

products::Geometry geometry(double width, double height) {
  products::Geometry g;
  g.width = width;
  g.height = height;
  g.fx = g.fy = width / 2 / std::tan(kFieldOfViewDeg * (3.14159265358979323846 / 180) / 2);
  g.cx = (width - 1) / 2;
  g.cy = (height - 1) / 2;
  g.height_m = kCameraHeightM;
  g.pitch_deg = kPitchDeg;
  g.pitch_uncertainty_deg = kPitchUncertaintyDeg;
  return g;
}

// The road ahead; one pixel that is not flat ends it, nothing is averaged away. Made anew only
// for another camera size: it keeps what it has worked out.
class Road {
 public:
  std::string decide(const roadmask::Mask& mask) {
    products::FreeDistance* free = &told_;
    products::Fault fault = told_.measure(mask);
    if (fault == products::Fault::UNKNOWN_GEOMETRY) {
      const auto& h = mask.header();
      if (h.camera_width != width_ || h.camera_height != height_) {
        width_ = h.camera_width;
        height_ = h.camera_height;
        own_ = products::FreeDistance(geometry(width_, height_), limits_);
      }
      free = &own_;
      fault = own_.measure(mask);
    }
    const products::Column nearest = free->nearest();
    const char* unknown =
        fault != products::Fault::NONE ? to_string(fault) : to_string(nearest.end);
    if (nearest.end == products::End::NOT_SEEN)
      return std::string("stop: free distance unknown: ") + unknown;
    // The least that is free counts, not the likeliest.
    const bool ok = mask.mode() == roadmask::Mode::OK;
    char text[64];
    std::snprintf(text, sizeof text, ok ? "free %.2f m" : "free %.2f m, carefully",
                  ok ? nearest.low_m : std::min(nearest.low_m, kCarefulM));
    return text;
  }

 private:
  std::uint32_t width_ = 0, height_ = 0;
  products::Limits limits_{kFarthestM, kCorridorM};
  products::FreeDistance told_{limits_};  // with the geometry that the stream tells
  products::FreeDistance own_{products::Geometry{}};
};

int main(int count, char** arguments) {
  std::string socket_path = roadmask::kDefaultSocket;
  long frames = -1;
  roadmask::Options options;
  for (int i = 1, position = 0; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--allow-not-live") {
      options.allow_not_live = true;
    } else if (argument == "--max-age-ms" && i + 1 < count && std::atol(arguments[i + 1]) > 0) {
      options.max_age = std::chrono::milliseconds(std::atol(arguments[++i]));
    } else if (position == 0) {
      socket_path = argument;
      ++position;
    } else if (position == 1 && (frames = std::atol(argument.c_str())) > 0) {
      ++position;
    } else {
      std::fprintf(stderr,
                   "argument %s: expected subscribe SOCKET [FRAMES] [--allow-not-live] "
                   "[--max-age-ms N]\n",
                   arguments[i]);
      return 2;
    }
  }

  // What nobody should drive on is refused already: see Options::refuse for the reasons.
  roadmask::Subscriber subscriber(socket_path, options);
  roadmask::Mask mask;
  Road road;
  for (long seen = 0; seen != frames;) {
    if (!subscriber.receive(mask, std::chrono::milliseconds(250))) {
      std::printf("stop: no mask: %s\n", subscriber.reason_text().c_str());
    } else {
      ++seen;
      const std::string reasons =
          mask.reasons() ? " " + roadmask::reason_names(mask.reasons()) : std::string();
      std::printf("mask %llu %s%s age %.1f ms, %s\n",
                  static_cast<unsigned long long>(mask.sequence()), to_string(mask.mode()),
                  reasons.c_str(), mask.age_ms(), road.decide(mask).c_str());
    }
    std::fflush(stdout);
  }
}
