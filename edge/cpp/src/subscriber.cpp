#include "roadmask/subscriber.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <utility>

#include "connection.hpp"
#include "judge.hpp"
#include "roadmask/crc32c.hpp"

namespace roadmask {
namespace {

constexpr std::uint64_t kSilenceNs = 200'000'000;
// Three heartbeats: reconnected, let in, and the newest frame.
constexpr std::uint64_t kSignOfLifeNs = 150'000'000;
constexpr std::uint64_t kIdleNs = 100'000'000;  // then a wait looks at the clock again

std::uint64_t ns(std::chrono::milliseconds duration) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0)) * 1'000'000u;
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

// Digits that are none give a digest that no model has.
std::optional<std::array<std::uint8_t, 32>> digest(const std::string& hex) {
  if (hex.empty()) return std::nullopt;
  std::array<std::uint8_t, 32> bytes{};
  if (hex.size() != 2 * bytes.size()) return bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char* pair = hex.data() + 2 * i;
    if (std::from_chars(pair, pair + 2, bytes[i], 16).ptr != pair + 2) return decltype(bytes){};
  }
  return bytes;
}

}  // namespace

struct Subscriber::State {
  State(std::string path, Options o)
      : options(o),
        policy{o.allow_not_live, o.accept_unknown_age, o.refuse, digest(o.model)},
        connection(std::move(path), o.reconnect, o.publisher_user) {}

  bool latest(Mask& mask, std::uint64_t limit_ns, bool copy);
  bool newest(Mask& mask, std::uint64_t limit_ns, bool copy, bool repeat);
  bool usable(std::uint64_t limit_ns);
  std::uint64_t silence_ns() const noexcept {
    return std::min(kSilenceNs, connection.ring->welcome().silence_ms * std::uint64_t{1'000'000});
  }
  NoMask without_frame() const noexcept {
    const auto& said = connection.status;
    const std::uint64_t sent_ns = said ? said->sent_ns : connection.ring->welcome().sent_ns;
    return judge_without_frame(sent_ns, silence_ns(), now_ns());
  }
  bool take(Mask& mask, const FrameHeader& frame, std::uint64_t limit_ns, bool copy) const;
  bool refuse(NoMask why, std::string text = {}) {
    reason = why;
    detail = std::move(text);
    return false;
  }
  std::uint64_t limit(std::optional<std::chrono::milliseconds> max_age) const noexcept {
    return std::min(ns(options.max_age), ns(max_age.value_or(options.max_age)));
  }

  Options options;
  Policy policy;
  Connection connection;
  NoMask reason = NoMask::NOT_CONNECTED;
  std::string detail;
  Check failed = Check::none;
  std::uint64_t looked_ns = 0;  // when it was last read what had come
  std::uint64_t handed_stream = 0;
  std::uint64_t handed_sequence = 0;
  std::uint64_t dropped = 0;
  std::uint64_t torn = 0;
};

bool Subscriber::State::usable(std::uint64_t limit_ns) {
  const FrameHeader& frame = *connection.frame;
  const FrameHeader& status = *connection.status;
  const std::uint64_t now = now_ns();
  const std::uint8_t* model = model_entry(connection.ring->at(0), connection.ring->welcome(), frame);
  const NoMask why =
      judge(frame, status, model, {policy, limit_ns, silence_ns()}, now);
  switch (why) {
    case NoMask::NONE:
      reason = why;
      detail.clear();
      return true;
    case NoMask::SILENT:
      return refuse(why, milliseconds("last message %.0f ms ago", now - status.sent_ns));
    case NoMask::FAULT:
    case NoMask::STALE:
      return refuse(why, std::string(to_string(status.mode())) + ": " +
                             reason_names(frame.reasons() | status.reasons()));
    case NoMask::REFUSED:
      return refuse(why, reason_names((frame.reasons() | status.reasons()) & policy.refuse));
    case NoMask::NOT_LIVE:
      return refuse(why, flag_names(frame.flags & kNotLive));
    case NoMask::TOO_OLD:
      return refuse(why, milliseconds("%.0f ms, allowed %.0f ms", now - frame.seen_ns(),
                                      std::min<std::uint64_t>(limit_ns, frame.max_age_ms * 1'000'000ull)));
    default:
      return refuse(why);
  }
}

bool Subscriber::State::take(Mask& mask, const FrameHeader& frame, std::uint64_t limit_ns,
                             bool copy) const {
  const auto& ring = *connection.ring;
  const auto& generation = ring.generation(frame);
  const auto plane = [&](Mask::Plane& out, bool present, std::uint64_t offset,
                         std::size_t stride, std::size_t row_bytes, std::size_t rows) {
    out.present = present;
    out.view = present && !copy ? ring.at(offset) : nullptr;
    out.stride = copy ? row_bytes : stride;
    if (!present || !copy) return true;
    out.copy.resize(row_bytes * rows);
    return ring::read(generation, frame.sequence, ring.at(offset), stride, out.copy.data(),
                      row_bytes, rows);
  };
  mask.header_ = frame;
  mask.ring_ = connection.ring;
  mask.limit_ns_ = limit_ns;
  mask.copied_ = copy;
  return plane(mask.mask_, true, frame.mask_offset, frame.mask_stride, frame.mask_width,
               frame.mask_height) &&
         plane(mask.confidence_, frame.confidence_offset != 0, frame.confidence_offset,
               frame.confidence_stride, frame.mask_width, frame.mask_height) &&
         plane(mask.preview_, frame.preview_offset != 0 && options.preview, frame.preview_offset,
               frame.preview_stride, std::size_t{3} * frame.preview_width,
               frame.preview_height) &&
         ring::still_holds(generation, frame.sequence);
}

bool Subscriber::State::newest(Mask& mask, std::uint64_t limit_ns, bool copy, bool repeat) {
  while (true) {
    connection.pump();
    looked_ns = now_ns();
    failed = connection.check;
    if (!connection.ring) return refuse(connection.reason, connection.detail);
    if (!connection.frame) {
      return refuse(without_frame(),
                    connection.status ? std::string(to_string(connection.status->mode())) + ": " +
                                            reason_names(connection.status->reasons())
                                      : std::string());
    }
    const FrameHeader frame = *connection.frame;
    const std::uint64_t limit = std::min(limit_ns, frame.max_age_ms * std::uint64_t{1'000'000});
    if (!usable(limit_ns)) return false;
    if (!repeat && handed_stream == frame.stream_id && handed_sequence == frame.sequence)
      return refuse(NoMask::NO_NEW_FRAME);
    if (take(mask, frame, limit, copy)) {
      // Again, because the copy takes time and this process may have been stopped.
      if (!usable(limit_ns)) return false;
      if (copy && frame.crc32c && crc32c(mask.pixels(), mask.mask_.copy.size()) != frame.crc32c) {
        failed = Check::crc;
        return refuse(NoMask::MALFORMED, "the mask's CRC-32C differs");
      }
      if (handed_stream == frame.stream_id && frame.sequence > handed_sequence)
        dropped += frame.sequence - handed_sequence - 1;
      handed_stream = frame.stream_id;
      handed_sequence = frame.sequence;
      return true;
    }
    ++torn;
    refuse(NoMask::OVERWRITTEN);
    connection.pump();
    // Lapped, and nothing newer has been announced: no use in trying the same again.
    if (connection.frame && connection.frame->stream_id == frame.stream_id &&
        connection.frame->sequence == frame.sequence)
      return false;
  }
}

bool Subscriber::State::latest(Mask& mask, std::uint64_t limit_ns, bool copy) {
  const bool paused = looked_ns && now_ns() - looked_ns > kSilenceNs;
  bool found = newest(mask, limit_ns, copy, true);
  const std::uint64_t deadline = now_ns() + kSignOfLifeNs;
  while (!found && paused && unheard(reason)) {
    const std::uint64_t now = now_ns();
    if (now >= deadline) break;
    wait_readable(connection.fd(), std::min(connection.wait_ns(), deadline - now));
    found = newest(mask, limit_ns, copy, true);
  }
  return found;
}

Subscriber::Subscriber(std::string socket_path, Options options)
    : state_(std::make_unique<State>(std::move(socket_path), options)) {}
Subscriber::~Subscriber() = default;
Subscriber::Subscriber(Subscriber&&) noexcept = default;
Subscriber& Subscriber::operator=(Subscriber&&) noexcept = default;

bool Subscriber::latest(Mask& mask, std::optional<std::chrono::milliseconds> max_age) {
  return state_->latest(mask, state_->limit(max_age), true);
}

bool Subscriber::latest_view(Mask& mask, std::optional<std::chrono::milliseconds> max_age) {
  return state_->latest(mask, state_->limit(max_age), false);
}

bool Subscriber::receive(Mask& mask, std::optional<std::chrono::milliseconds> timeout) {
  const std::uint64_t deadline = timeout ? now_ns() + ns(*timeout) : ~std::uint64_t{0};
  while (true) {
    if (state_->newest(mask, state_->limit({}), true, false)) return true;
    if (state_->connection.ended) return false;
    const std::uint64_t now = now_ns();
    if (now >= deadline) return false;
    wait_readable(fileno(), std::min({state_->connection.wait_ns(), kIdleNs, deadline - now}));
  }
}

void Subscriber::close() noexcept {
  state_->connection.close();
  state_->refuse(NoMask::CLOSED, state_->connection.detail);
}

NoMask Subscriber::reason() const noexcept { return state_->reason; }

std::string Subscriber::reason_text() const {
  std::string text = to_string(state_->reason);
  return state_->detail.empty() ? text : text + " (" + state_->detail + ")";
}

Check Subscriber::check() const noexcept { return state_->failed; }
bool Subscriber::connected() const noexcept { return state_->connection.ring != nullptr; }
bool Subscriber::ended() const noexcept { return state_->connection.ended; }
std::uint64_t Subscriber::dropped() const noexcept { return state_->dropped; }
std::uint64_t Subscriber::torn() const noexcept { return state_->torn; }
int Subscriber::fileno() const noexcept { return state_->connection.fd(); }
std::optional<FrameHeader> Subscriber::status() const noexcept {
  return state_->connection.status;
}

}  // namespace roadmask
