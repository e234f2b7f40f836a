#include <algorithm>
#include <exception>

#include "subscriber_state.hpp"

namespace roadmask {

NoMask Subscriber::State::recall(Mask& mask, const FrameHeader& frame, std::uint64_t limit_ns) {
  if (const NoMask why = verdict(frame, limit_ns, now_ns()); why != NoMask::NONE) return why;
  std::uint8_t ids = 0;
  const std::uint64_t limit = std::min(limit_ns, frame.max_age_ms * std::uint64_t{1'000'000});
  if (!take(mask, frame, limit, true, ids)) return NoMask::OVERWRITTEN;
  if (flaw(mask, ids) != Check::none) return NoMask::MALFORMED;
  return verdict(frame, limit_ns, now_ns());  // again, because the copy takes time
}

bool Subscriber::State::history(std::vector<PastMask>& past, std::size_t most,
                                std::uint64_t limit_ns) {
  connection.pump();
  looked_ns = now_ns();
  failed = connection.check;
  const Inbox* inbox = connection.inbox();
  const std::size_t known = connection.ring && inbox ? inbox->past_count() : 0;
  const std::size_t count = std::min(most, known);
  past.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const FrameHeader frame = header_of(inbox->past(known - count + i).data());
    past[i].sequence = frame.sequence;
    past[i].missing = recall(past[i].mask, frame, limit_ns);
    past[i].present = past[i].missing == NoMask::NONE;
  }
  if (!connection.ring) return refuse(connection.reason, connection.detail);
  if (!known) return refuse(without_frame());
  refuse(NoMask::NONE);
  return count > 0;
}

bool Subscriber::history(std::vector<PastMask>& past, std::size_t most,
                         std::optional<std::chrono::milliseconds> max_age) {
  return locked(false, [&](State& s) {
    try {
      return s.history(past, most, s.limit(max_age));
    } catch (const std::exception&) {  // std::bad_alloc: of a plane, of a sentence
      past.clear();
      return s.refuse(NoMask::NO_MEMORY);
    }
  });
}

}  // namespace roadmask
