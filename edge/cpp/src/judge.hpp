// Whether the newest frame may be used now: the one place that decides it, for C++ and Python.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "roadmask/protocol.hpp"

namespace roadmask {

// What a subscriber takes, all through its life.
struct Policy {
  bool allow_not_live = false;
  bool accept_unknown_age = false;
  std::uint32_t refuse = kRefusedByDefault;
  std::optional<std::array<std::uint8_t, 32>> model;  // SHA-256 of the only one that it takes
};

struct Terms {
  const Policy& policy;
  std::uint64_t limit_ns;    // oldest age to use; the frame's own limit holds as well
  std::uint64_t silence_ns;  // longest time since the last message
};

// `status` is the newest FRAME or STATUS, `frame` the newest FRAME, `model` the entry of the
// identity table that the frame names, or null. NONE: the frame may be used.
NoMask judge(const FrameHeader& frame, const FrameHeader& status, const std::uint8_t* model,
             const Terms& terms, std::uint64_t now_ns) noexcept;

// As long as there is no frame: whether the publisher is there at all.
NoMask judge_without_frame(std::uint64_t sent_ns, std::uint64_t silence_ns,
                           std::uint64_t now_ns) noexcept;

// The frame's model in a ring whose WELCOME and FRAME were checked; null where it is unknown.
inline const std::uint8_t* model_entry(const std::uint8_t* ring, const Welcome& welcome,
                                       const FrameHeader& frame) noexcept {
  if (frame.model == kNoIdentity) return nullptr;
  return ring + welcome.identity_offset + std::uint64_t{frame.model} * welcome.identity_stride;
}

}  // namespace roadmask
