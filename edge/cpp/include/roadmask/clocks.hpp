// Stamps of the stream beside those of other sensors: CLOCK_BOOTTIME to and from another clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace roadmask {

// How another clock of this machine stands to CLOCK_BOOTTIME, bounded.
struct ClockMapping {
  std::int64_t offset_ns;  // other = CLOCK_BOOTTIME + this, at taken_ns
  std::uint64_t bound_ns;  // it is no further off then
  std::uint64_t taken_ns;  // when both were read, CLOCK_BOOTTIME

  std::int64_t from_boottime(std::uint64_t boottime_ns) const noexcept {
    return static_cast<std::int64_t>(boottime_ns) + offset_ns;
  }
  std::int64_t to_boottime(std::int64_t other_ns) const noexcept { return other_ns - offset_ns; }
  // How far off a converted stamp may be: a millisecond more for each second from then. That holds
  // while nobody steps the other clock: take a mapping anew, every few seconds.
  std::uint64_t bound_at(std::uint64_t boottime_ns) const noexcept {
    const std::uint64_t apart =
        boottime_ns > taken_ns ? boottime_ns - taken_ns : taken_ns - boottime_ns;
    return bound_ns + apart / 1000;
  }
};

// By readings of one clock between two of the other: "realtime" (UTC), "tai", "monotonic", or a PTP
// device such as "/dev/ptp0". Nothing where there is no such clock or it cannot be read.
std::optional<ClockMapping> clock_mapping(const std::string& clock = "realtime") noexcept;

}  // namespace roadmask
