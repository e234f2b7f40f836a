// Whether the newest frame may be used now: the one place that decides it, for C++ and Python.
#pragma once

#include <cstdint>

#include "roadmask/protocol.hpp"

namespace roadmask {

struct Terms {
  std::uint64_t limit_ns;    // oldest age to use; the frame's own limit holds as well
  std::uint64_t silence_ns;  // longest time since the last message
  bool allow_not_live;
};

// `status` is the newest FRAME or STATUS, `frame` the newest FRAME. NONE: it may be used.
NoMask judge(const FrameHeader& frame, const FrameHeader& status, const Terms& terms,
             std::uint64_t now_ns) noexcept;

}  // namespace roadmask
