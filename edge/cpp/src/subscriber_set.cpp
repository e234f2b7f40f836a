#include "roadmask/subscriber_set.hpp"

#include <poll.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace roadmask {
namespace {

constexpr int kLookMs = 5;  // how long a wait sleeps before it looks at those without a descriptor
constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

std::uint64_t later(std::uint64_t now, std::chrono::milliseconds time) {
  const auto ms = std::max<std::int64_t>(time.count(), 0);
  if (ms > 1'000'000'000'000) return kNever;
  return now + static_cast<std::uint64_t>(ms) * 1'000'000u;
}

}  // namespace

SubscriberSet::SubscriberSet(const std::vector<std::string>& socket_paths, SetOptions options)
    : options_(std::move(options)) {
  for (const std::string& path : socket_paths) subscribers_.emplace_back(path, options_.each);
  held_.resize(subscribers_.size());
  spare_.resize(subscribers_.size());
  together_.resize(subscribers_.size());
  fresh_.resize(subscribers_.size());
  absent_.resize(subscribers_.size());
}

bool SubscriberSet::receive(std::vector<Member>& set,
                            std::optional<std::chrono::milliseconds> timeout) {
  const std::uint64_t end = timeout ? later(now_ns(), *timeout) : kNever;
  std::uint64_t first = 0;
  while (true) {
    look();
    const auto any = [&] { return std::count(fresh_.begin(), fresh_.end(), true) > 0; };
    if (any()) {
      if (!first) first = now_ns();
      if (assemble(set, now_ns() >= std::min(later(first, options_.by), end))) return true;
      if (!any()) first = 0;  // what was there went too old meanwhile
    }
    if (now_ns() >= end && !any()) return false;
    if (std::all_of(subscribers_.begin(), subscribers_.end(),
                    [](const Subscriber& s) { return s.ended(); }))
      return false;
    wait(first ? std::min(later(first, options_.by), end) : end);
  }
}

void SubscriberSet::close() noexcept {
  for (Subscriber& subscriber : subscribers_) subscriber.close();
}

void SubscriberSet::look() {
  for (std::size_t i = 0; i < subscribers_.size(); ++i) {
    // Three masks of each stream take turns, here, there and in the set: none is made anew.
    if (!subscribers_[i].receive(spare_[i], std::chrono::milliseconds(0))) continue;
    std::swap(held_[i], spare_[i]);
    fresh_[i] = true;
  }
}

// Whether the set is complete for all who keep up, or `over`.
bool SubscriberSet::assemble(std::vector<Member>& set, bool over) {
  std::uint64_t newest = 0;
  for (std::size_t i = 0; i < held_.size(); ++i) {
    fresh_[i] = fresh_[i] && held_[i].valid();
    if (fresh_[i]) newest = std::max(newest, held_[i].capture_timestamp_ns());
  }
  const auto within = later(0, options_.within);
  bool one = false, waiting = false;
  for (std::size_t i = 0; i < held_.size(); ++i) {
    together_[i] = fresh_[i] && newest - held_[i].capture_timestamp_ns() <= within;
    one = one || together_[i];
    waiting = waiting || (!together_[i] && !absent_[i]);
  }
  if (!one || (waiting && !over)) return false;
  set.resize(held_.size());
  for (std::size_t i = 0; i < held_.size(); ++i) {
    Member& member = set[i];
    member.present = together_[i];
    member.missing = NoMask::NONE;
    if (together_[i]) {
      std::swap(member.mask, held_[i]);
    } else {
      const NoMask reason = subscribers_[i].reason();
      member.missing = reason == NoMask::NONE ? NoMask::NO_NEW_FRAME : reason;
    }
    absent_[i] = !together_[i];
    fresh_[i] = false;
  }
  return true;
}

void SubscriberSet::wait(std::uint64_t until_ns) noexcept {
  const std::uint64_t now = now_ns();
  const auto left = until_ns > now ? (until_ns - now) / 1'000'000u + 1 : 0;
  pollfd watched[64];
  nfds_t count = 0;
  for (std::size_t i = 0; i < subscribers_.size() && count < std::size(watched); ++i)
    if (!fresh_[i] && subscribers_[i].fileno() >= 0)
      watched[count++] = {subscribers_[i].fileno(), POLLIN, 0};
  ::poll(watched, count, static_cast<int>(std::min<std::uint64_t>(left, kLookMs)));
}

}  // namespace roadmask
