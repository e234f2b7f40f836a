#include "roadmask/clocks.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>

#include "roadmask/subscriber.hpp"

namespace roadmask {
namespace {

constexpr int kTries = 16;

std::optional<ClockMapping> mapping(clockid_t clock) noexcept {
  std::optional<ClockMapping> best;
  for (int i = 0; i < kTries; ++i) {
    timespec read;
    const std::uint64_t before = now_ns();
    if (clock_gettime(clock, &read) != 0) return std::nullopt;
    const std::uint64_t after = now_ns();
    const std::uint64_t middle = before + (after - before) / 2, bound = (after - before) / 2 + 1;
    const std::int64_t other = std::int64_t{read.tv_sec} * 1'000'000'000 + read.tv_nsec;
    if (!best || bound < best->bound_ns)
      best = ClockMapping{other - static_cast<std::int64_t>(middle), bound, middle};
  }
  return best;
}

}  // namespace

std::optional<ClockMapping> clock_mapping(const std::string& clock) noexcept {
  if (clock == "realtime") return mapping(CLOCK_REALTIME);
  if (clock == "monotonic") return mapping(CLOCK_MONOTONIC);
  if (clock == "tai") return mapping(CLOCK_TAI);
  struct stat info;
  if (::stat(clock.c_str(), &info) != 0 || !S_ISCHR(info.st_mode)) return std::nullopt;
  const int device = ::open(clock.c_str(), O_RDONLY | O_CLOEXEC);
  if (device < 0) return std::nullopt;
  // clock_getres(2): dynamic clocks.
  const auto found = mapping(static_cast<clockid_t>((~static_cast<unsigned>(device) << 3) | 3u));
  ::close(device);
  return found;
}

}  // namespace roadmask
