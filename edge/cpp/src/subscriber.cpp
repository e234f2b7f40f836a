#include "roadmask/subscriber.hpp"

#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <exception>
#include <utility>

#include "id_copy.hpp"
#include "roadmask/crc32c.hpp"
#include "subscriber_state.hpp"

namespace roadmask {
namespace {

// Three heartbeats: reconnected, let in, and the newest frame.
constexpr std::uint64_t kSignOfLifeNs = 150'000'000;
constexpr std::uint64_t kIdleNs = 100'000'000;  // then a wait looks at the clock again

constexpr int kCopies = 2;  // tries of one call: a publisher that laps its readers holds nobody up

std::uint64_t deadline_of(std::optional<std::chrono::milliseconds> timeout) noexcept {
  const std::uint64_t now = now_ns(), wait = timeout ? ns(*timeout) : kForever;
  return wait < kForever - now ? now + wait : kForever;
}

std::string milliseconds(const char* format, std::uint64_t a, std::uint64_t b = 0) {
  char text[96];
  std::snprintf(text, sizeof text, format, static_cast<double>(a) / 1e6,
                static_cast<double>(b) / 1e6);
  return text;
}

// What a reader that paused may find of a publisher that lives.
bool unheard(NoMask reason) noexcept {
  constexpr NoMask kUnheard[] = {NoMask::SILENT,           NoMask::TOO_OLD,
                                 NoMask::OVERWRITTEN,      NoMask::CONNECTION_LOST,
                                 NoMask::AWAITING_WELCOME, NoMask::NO_FRAME};
  return std::find(std::begin(kUnheard), std::end(kUnheard), reason) != std::end(kUnheard);
}

void wait_readable(int fd, std::uint64_t wait_ns) noexcept {
  pollfd entry{fd, POLLIN, 0};  // a negative fd is ignored: then this sleeps
  const timespec timeout{static_cast<time_t>(wait_ns / 1'000'000'000u),
                         static_cast<long>(wait_ns % 1'000'000'000u)};
  ::ppoll(&entry, 1, &timeout, nullptr);
}

}  // namespace

NoMask Subscriber::State::verdict(const FrameHeader& frame, std::uint64_t limit_ns,
                                  std::uint64_t now) const noexcept {
  const std::uint8_t* model =
      model_entry(connection.ring->at(0), connection.ring->welcome(), frame);
  return judge(frame, *connection.status, model, {policy, limit_ns, silence_ns()}, now);
}

bool Subscriber::State::usable(std::uint64_t limit_ns) {
  const FrameHeader& frame = *connection.frame;
  const FrameHeader& status = *connection.status;
  const std::uint64_t now = now_ns();
  const NoMask why = verdict(frame, limit_ns, now);
  const std::uint32_t reasons = frame.reasons() | status.reasons();
  const std::uint64_t most_ns = std::min<std::uint64_t>(limit_ns, frame.max_age_ms * 1'000'000ull);
  switch (why) {
    case NoMask::NONE: refuse(why); return true;
    case NoMask::SILENT: return refuse(why, {Told::kSilence, now - status.sent_ns, 0, 0});
    case NoMask::FAULT:
    case NoMask::STALE: return refuse(why, {Told::kMode, 0, 0, status.mode_bits | reasons});
    case NoMask::REFUSED: return refuse(why, {Told::kReasons, 0, 0, reasons & policy.refuse});
    case NoMask::NOT_LIVE: return refuse(why, {Told::kFlags, 0, 0, frame.flags & kNotLive});
    case NoMask::TOO_OLD: return refuse(why, {Told::kAge, now - frame.seen_ns(), most_ns, 0});
    default: return refuse(why);
  }
}

std::string Subscriber::State::sentence() const {
  const std::string text = to_string(reason);
  const auto with = [&](const std::string& more) { return text + " (" + more + ")"; };
  if (!detail.empty()) return with(detail);
  switch (told.kind) {
    case Told::kSilence: return with(milliseconds("last message %.0f ms ago", told.a_ns));
    case Told::kMode:
      return with(std::string(to_string(static_cast<Mode>(told.bits & 3))) + ": " +
                  reason_names(told.bits));
    case Told::kReasons: return with(reason_names(told.bits));
    case Told::kFlags: return with(flag_names(told.bits));
    case Told::kAge: return with(milliseconds("%.0f ms, allowed %.0f ms", told.a_ns, told.b_ns));
    default: return text;
  }
}

// `ids`: the bits that any id of a copy has.
bool Subscriber::State::take(Mask& mask, const FrameHeader& frame, std::uint64_t limit_ns,
                             bool copy, std::uint8_t& ids) const {
  const auto& ring = *connection.ring;
  const auto& generation = ring.generation(frame);
  const auto plane = [&](Mask::Plane& out, bool present, std::uint64_t offset, std::size_t stride,
                         std::size_t row_bytes, std::size_t rows, bool of_ids = false) {
    out.present = false;  // should there be no memory
    if (present && copy) out.copy.resize(row_bytes * rows);
    out.present = present;
    out.view = present && !copy ? ring.at(offset) : nullptr;
    out.stride = copy ? row_bytes : stride;
    if (!present || !copy) return true;
    const std::uint8_t* source = ring.at(offset);
    std::uint8_t* to = out.copy.data();
    return of_ids ? read_ids(generation, frame.sequence, source, stride, to, row_bytes, rows, ids)
                  : ring::read(generation, frame.sequence, source, stride, to, row_bytes, rows);
  };
  mask.header_ = frame;
  mask.ring_ = connection.ring;
  mask.limit_ns_ = limit_ns;
  mask.copied_ = copy;
  return plane(mask.mask_, true, frame.mask_offset, frame.mask_stride, frame.mask_width,
               frame.mask_height, true) &&
         plane(mask.confidence_, frame.confidence_offset != 0, frame.confidence_offset,
               frame.confidence_stride, frame.mask_width, frame.mask_height) &&
         plane(mask.preview_, frame.preview_offset != 0 && options.preview, frame.preview_offset,
               frame.preview_stride, std::size_t{3} * frame.preview_width, frame.preview_height) &&
         ring::still_holds(generation, frame.sequence);
}

// The newest mask, if there is memory for it.
bool Subscriber::State::look(Mask& mask, std::uint64_t limit_ns, bool copy, bool repeat) noexcept {
  try {
    return newest(mask, limit_ns, copy, repeat);
  } catch (const std::exception&) {  // std::bad_alloc: of a plane, of a sentence
    reason = NoMask::NO_MEMORY;
    detail.clear();
    told = {};
    return false;
  }
}

// A fork has the parent's socket and memory, and would take half of its messages.
void Subscriber::State::check_fork() {
  if (!connection.elsewhere()) return;
  static_cast<void>(mutex.release());
  mutex = std::make_unique<std::mutex>();
  connection.leave_to_parent();
  as_connection();
}

void Subscriber::State::as_connection() noexcept {
  reason = connection.reason;
  told = {};
  try {
    detail = connection.detail;
  } catch (const std::exception&) {
    detail.clear();
    told = {};
  }
}

bool Subscriber::State::newest(Mask& mask, std::uint64_t limit_ns, bool copy, bool repeat) {
  for (int tries = 0; tries < kCopies; ++tries) {
    connection.pump();
    looked_ns = now_ns();
    failed = connection.check;
    if (!connection.ring) return refuse(connection.reason, connection.detail);
    if (!connection.frame) {
      const auto& said = connection.status;
      return refuse(without_frame(), said ? Told{Told::kMode, 0, 0, said->mode_bits} : Told{});
    }
    const FrameHeader frame = *connection.frame;
    const std::uint64_t limit = std::min(limit_ns, frame.max_age_ms * std::uint64_t{1'000'000});
    if (!usable(limit_ns)) return false;
    if (!repeat && handed_stream == frame.stream_id && handed_sequence == frame.sequence)
      return refuse(NoMask::NO_NEW_FRAME);
    std::uint8_t ids = 0;
    if (take(mask, frame, limit, copy, ids)) {
      // Again, because the copy takes time and this process may have been stopped.
      return usable(limit_ns) && hand_out(mask, frame, ids);
    }
    ++torn;
    refuse(NoMask::OVERWRITTEN);
    connection.pump();
    // Lapped, and nothing newer has been announced: no use in trying the same again.
    if (connection.frame && connection.frame->stream_id == frame.stream_id &&
        connection.frame->sequence == frame.sequence)
      return false;
  }
  return false;
}

// What is wrong with the pixels.
Check Subscriber::State::flaw(const Mask& mask, std::uint8_t ids) const noexcept {
  if (!are_categories(ids)) return Check::category;
  const std::uint32_t expected = mask.copied_ ? mask.header_.crc32c : 0;
  return expected && crc32c(mask.pixels(), mask.mask_.copy.size()) != expected ? Check::crc
                                                                               : Check::none;
}

bool Subscriber::State::hand_out(Mask& mask, const FrameHeader& frame, std::uint8_t ids) {
  if (const Check wrong = flaw(mask, ids); wrong != Check::none) {
    failed = wrong;
    return refuse(NoMask::MALFORMED,
                  wrong == Check::crc ? "the mask's CRC-32C differs" : "an id above 7 in the mask");
  }
  if (handed_stream == frame.stream_id && frame.sequence > handed_sequence)
    dropped += frame.sequence - handed_sequence - 1;
  handed_stream = frame.stream_id;
  handed_sequence = frame.sequence;
  return true;
}

std::uint64_t Subscriber::State::wait_ns(std::uint64_t deadline_ns) const noexcept {
  const std::uint64_t now = now_ns();
  if (connection.ended || now >= deadline_ns) return 0;
  return std::min({std::max(connection.wait_ns(), std::uint64_t{1}), kIdleNs, deadline_ns - now});
}

Subscriber::Subscriber(std::string socket_path, Options options)
    : state_(std::make_unique<State>(std::move(socket_path), options)) {}
Subscriber::~Subscriber() = default;
Subscriber::Subscriber(Subscriber&&) noexcept = default;
Subscriber& Subscriber::operator=(Subscriber&&) noexcept = default;

bool Subscriber::latest(Mask& mask, std::optional<std::chrono::milliseconds> max_age) {
  return newest(mask, max_age, true);
}

bool Subscriber::latest_view(Mask& mask, std::optional<std::chrono::milliseconds> max_age) {
  return newest(mask, max_age, false);
}

bool Subscriber::newest(Mask& mask, std::optional<std::chrono::milliseconds> max_age, bool copy) {
  std::optional<std::uint64_t> deadline;
  while (true) {
    int fd = -1;
    std::uint64_t wait_ns = 0;
    const bool found = locked(false, [&](State& s) {
      const bool paused = s.paused();
      if (s.look(mask, s.limit(max_age), copy, true)) return true;
      if (!deadline) deadline = now_ns() + (paused ? kSignOfLifeNs : 0);
      fd = s.connection.fd();
      wait_ns = unheard(s.reason) ? s.wait_ns(*deadline) : 0;
      return false;
    });
    if (found || wait_ns == 0) return found;
    wait_readable(fd, wait_ns);
  }
}

bool Subscriber::receive(Mask& mask, std::optional<std::chrono::milliseconds> timeout) {
  const std::uint64_t deadline = deadline_of(timeout);
  while (true) {
    int fd = -1;
    std::uint64_t wait_ns = 0;  // outside of the lock: close() comes in and wakes it
    const bool found = locked(false, [&](State& s) {
      if (s.look(mask, s.limit({}), true, false)) return true;
      fd = s.connection.fd();
      wait_ns = s.wait_ns(deadline);
      return false;
    });
    if (found || wait_ns == 0) return found;
    wait_readable(fd, wait_ns);
  }
}

void Subscriber::close() noexcept {
  locked(0, [](State& s) {
    s.connection.close();
    s.as_connection();
    return 0;
  });
}

NoMask Subscriber::reason() const noexcept {
  return locked(NoMask::CLOSED, [](State& s) { return s.reason; });
}

std::string Subscriber::reason_text() const noexcept {
  try {
    return locked(std::string(to_string(NoMask::CLOSED)), [](State& s) { return s.sentence(); });
  } catch (const std::exception&) {  // no memory for it
    return {};
  }
}

Check Subscriber::check() const noexcept {
  return locked(Check::none, [](State& s) { return s.failed; });
}
bool Subscriber::connected() const noexcept {
  return locked(false, [](State& s) { return s.connection.ring != nullptr; });
}
bool Subscriber::ended() const noexcept {
  return locked(true, [](State& s) { return s.connection.ended; });
}
std::uint64_t Subscriber::dropped() const noexcept {
  return locked(std::uint64_t{0}, [](State& s) { return s.dropped; });
}
std::uint64_t Subscriber::torn() const noexcept {
  return locked(std::uint64_t{0}, [](State& s) { return s.torn; });
}
int Subscriber::fileno() const noexcept {
  return locked(-1, [](State& s) { return s.connection.fd(); });
}
std::optional<FrameHeader> Subscriber::status() const noexcept {
  return locked(std::optional<FrameHeader>(), [](State& s) { return s.connection.status; });
}

}  // namespace roadmask
