// What a subscriber keeps between its calls.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "connection.hpp"
#include "judge.hpp"
#include "roadmask/subscriber.hpp"

namespace roadmask {

inline constexpr std::uint64_t kSilenceNs = 200'000'000;
inline constexpr std::uint64_t kForever = std::numeric_limits<std::uint64_t>::max();

// Saturated: milliseconds::max() is for ever, less than nothing is nothing.
inline std::uint64_t ns(std::chrono::milliseconds duration) noexcept {
  const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  return ms < kForever / 1'000'000u ? ms * 1'000'000u : kForever;
}

// Digits that are none give a digest that no model has.
inline std::optional<std::array<std::uint8_t, 32>> digest(const std::string& hex) {
  if (hex.empty()) return std::nullopt;
  std::array<std::uint8_t, 32> bytes{};
  if (hex.size() != 2 * bytes.size()) return bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char* pair = hex.data() + 2 * i;
    if (std::from_chars(pair, pair + 2, bytes[i], 16).ptr != pair + 2) return decltype(bytes){};
  }
  return bytes;
}

struct Subscriber::State {
  // What a refusal's sentence is made of once somebody asks: who waits for a camera that is gone
  // looks 200 times a second.
  struct Told {
    enum Kind { kNothing, kSilence, kMode, kReasons, kFlags, kAge } kind = kNothing;
    std::uint64_t a_ns = 0, b_ns = 0;
    std::uint32_t bits = 0;
  };

  State(std::string path, Options o)
      : options(o),
        policy{o.allow_not_live, o.accept_unknown_age, o.refuse, digest(o.model)},
        connection(std::move(path), o.reconnect, o.publisher_user, o.max_ring_bytes) {}

  bool look(Mask& mask, std::uint64_t limit_ns, bool copy, bool repeat) noexcept;
  // How long to wait for what, after a look that gave nothing; 0 = the time is over.
  std::uint64_t wait_ns(std::uint64_t deadline_ns) const noexcept;
  bool paused() const noexcept { return looked_ns && now_ns() - looked_ns > kSilenceNs; }
  void check_fork();
  void as_connection() noexcept;
  bool newest(Mask& mask, std::uint64_t limit_ns, bool copy, bool repeat);
  bool history(std::vector<PastMask>& past, std::size_t most, std::uint64_t limit_ns);
  NoMask recall(Mask& mask, const FrameHeader& frame, std::uint64_t limit_ns);
  NoMask verdict(const FrameHeader& frame, std::uint64_t limit_ns,
                 std::uint64_t now) const noexcept;
  Check flaw(const Mask& mask, std::uint8_t ids) const noexcept;
  bool usable(std::uint64_t limit_ns);
  std::uint64_t silence_ns() const noexcept {
    return std::min(kSilenceNs, connection.ring->welcome().silence_ms * std::uint64_t{1'000'000});
  }
  NoMask without_frame() const noexcept {
    const auto& said = connection.status;
    const std::uint64_t sent_ns = said ? said->sent_ns : connection.ring->welcome().sent_ns;
    return judge_without_frame(sent_ns, silence_ns(), now_ns());
  }
  bool hand_out(Mask& mask, const FrameHeader& frame, std::uint8_t ids);
  bool take(Mask& mask, const FrameHeader& frame, std::uint64_t limit_ns, bool copy,
            std::uint8_t& ids) const;
  bool refuse(NoMask why, std::string_view text = {}) {
    reason = why;
    detail.assign(text);  // keeps its memory
    told = {};
    return false;
  }
  bool refuse(NoMask why, const Told& what) noexcept {
    reason = why;
    detail.clear();
    told = what;
    return false;
  }
  std::string sentence() const;
  std::uint64_t limit(std::optional<std::chrono::milliseconds> max_age) const noexcept {
    return std::min(ns(options.max_age), ns(max_age.value_or(options.max_age)));
  }

  // Held by every call except while it waits. Not destroyed in a fork: there it may be locked, by
  // a thread that does not exist.
  std::unique_ptr<std::mutex> mutex = std::make_unique<std::mutex>();
  Options options;
  Policy policy;
  Connection connection;
  NoMask reason = NoMask::NOT_CONNECTED;
  std::string detail;
  Told told;  // where there is no detail
  Check failed = Check::none;
  std::uint64_t looked_ns = 0;  // when it was last read what had come
  std::uint64_t handed_stream = 0;
  std::uint64_t handed_sequence = 0;
  std::uint64_t dropped = 0;
  std::uint64_t torn = 0;
};

template <typename T, typename F>
T Subscriber::locked(T otherwise, F&& ask) const {
  if (!state_) return otherwise;
  state_->check_fork();
  const std::lock_guard<std::mutex> lock(*state_->mutex);
  return ask(*state_);
}

}  // namespace roadmask
