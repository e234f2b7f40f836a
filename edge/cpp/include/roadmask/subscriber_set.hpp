// Masks of several cameras that belong together; no camera holds up the others.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "roadmask/subscriber.hpp"

namespace roadmask {

struct SetOptions {
  std::chrono::milliseconds within{20};  // greatest time between the captures of one set
  std::chrono::milliseconds by{50};      // longest wait for the rest of a set
  Options each;                          // of each subscriber
};

// A set is handed out as soon as every stream that keeps up has a new mask within `within` of the
// newest, and `by` after its first mask came at the latest. A stream that missed a set is waited
// for again once it has delivered: a camera that is frozen, slow or gone costs one delay. One
// thread. While all streams are up nothing is allocated once each has given three masks, if `set`
// is given back.
class SubscriberSet {
 public:
  // In the order of the paths, here and below.
  struct Member {
    Mask mask;  // of the set, if `present`
    bool present = false;
    NoMask missing = NoMask::NONE;  // else why; NO_NEW_FRAME too where its newest is of too early
  };

  explicit SubscriberSet(const std::vector<std::string>& socket_paths, SetOptions options = {});

  // The next set; false if no stream had a new mask in time.
  bool receive(std::vector<Member>& set, std::optional<std::chrono::milliseconds> timeout = {});
  void close() noexcept;
  const Subscriber& subscriber(std::size_t index) const { return subscribers_[index]; }

 private:
  void look();
  bool assemble(std::vector<Member>& set, bool over);
  void wait(std::uint64_t until_ns) noexcept;

  SetOptions options_;
  std::vector<Subscriber> subscribers_;
  std::vector<Mask> held_, spare_;
  std::vector<bool> fresh_, absent_, together_;
};

}  // namespace roadmask
