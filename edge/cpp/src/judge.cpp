#include "judge.hpp"

#include <algorithm>
#include <cstring>

namespace roadmask {
namespace {

bool is_model(const std::uint8_t* entry, const std::array<std::uint8_t, 32>& digest) noexcept {
  constexpr auto kind = static_cast<std::uint32_t>(IdentityKind::MODEL);
  return entry && std::memcmp(entry, &kind, sizeof kind) == 0 &&
         std::memcmp(entry + 8, digest.data(), digest.size()) == 0;
}

NoMask judge_age(const FrameHeader& frame, const Terms& terms, std::uint64_t now_ns) noexcept {
  if (!frame.age_known() && !terms.policy.accept_unknown_age) return NoMask::AGE_UNKNOWN;
  const std::uint64_t seen_ns = frame.seen_ns();
  // Never by its age alone: a stamp of the future would look fresh a moment later.
  if (seen_ns > frame.publish_ns || frame.publish_ns > now_ns) return NoMask::FUTURE;
  const std::uint64_t limit_ns =
      std::min(terms.limit_ns, frame.max_age_ms * std::uint64_t{1'000'000});
  return now_ns - seen_ns > limit_ns ? NoMask::TOO_OLD : NoMask::NONE;
}

}  // namespace

NoMask judge(const FrameHeader& frame, const FrameHeader& status, const std::uint8_t* model,
             const Terms& terms, std::uint64_t now_ns) noexcept {
  const Policy& policy = terms.policy;
  // A stamp of the future makes this difference huge: then it is silence, too.
  if (now_ns - status.sent_ns > terms.silence_ns) return NoMask::SILENT;
  if (status.mode() == Mode::FAULT) return NoMask::FAULT;
  if (status.mode() == Mode::STALE) return NoMask::STALE;
  const std::uint32_t refused = (frame.reasons() | status.reasons()) & policy.refuse;
  // Of a picture that repeats, the stamps say nothing: its true age is that of the first.
  if (refused & FROZEN) return NoMask::STALE;
  if (!policy.allow_not_live && (frame.flags & kNotLive)) return NoMask::NOT_LIVE;
  if (const NoMask aged = judge_age(frame, terms, now_ns); aged != NoMask::NONE) return aged;
  if (refused) return NoMask::REFUSED;
  return policy.model && !is_model(model, *policy.model) ? NoMask::WRONG_MODEL : NoMask::NONE;
}

NoMask judge_without_frame(std::uint64_t sent_ns, std::uint64_t silence_ns,
                           std::uint64_t now_ns) noexcept {
  return now_ns - sent_ns > silence_ns ? NoMask::SILENT : NoMask::NO_FRAME;
}

}  // namespace roadmask
