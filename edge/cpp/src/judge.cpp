#include "judge.hpp"

#include <algorithm>

namespace roadmask {

NoMask judge(const FrameHeader& frame, const FrameHeader& status, const Terms& terms,
             std::uint64_t now_ns) noexcept {
  // A stamp of the future makes this difference huge: then it is silence, too.
  if (now_ns - status.sent_ns > terms.silence_ns) return NoMask::SILENT;
  if (status.mode() == Mode::FAULT) return NoMask::FAULT;
  if (status.mode() == Mode::STALE) return NoMask::STALE;
  if (!terms.allow_not_live && (frame.flags & kNotLive)) return NoMask::NOT_LIVE;
  if (!frame.age_known()) return NoMask::AGE_UNKNOWN;
  // Never by its age alone: a stamp of the future would look fresh a moment later.
  if (frame.capture_ns > frame.publish_ns || frame.publish_ns > now_ns) return NoMask::FUTURE;
  const std::uint64_t limit_ns =
      std::min(terms.limit_ns, frame.max_age_ms * std::uint64_t{1'000'000});
  return now_ns - frame.capture_ns > limit_ns ? NoMask::TOO_OLD : NoMask::NONE;
}

}  // namespace roadmask
