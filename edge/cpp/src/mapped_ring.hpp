// A publisher's ring as this process sees it: read-only, whole, its bounds checked.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "roadmask/protocol.hpp"
#include "roadmask/ring.hpp"

namespace roadmask {

class MappedRing {
 public:
  // The ring in the file `fd`, mapped; or the check that it failed, and nothing was touched.
  // Throws std::bad_alloc where there is no room for it.
  static Check open(const Welcome& welcome, int fd, std::uint64_t most_bytes,
                    std::shared_ptr<MappedRing>& ring);

  // `base` is a mapping of welcome.ring_bytes bytes; it is unmapped with this object.
  MappedRing(void* base, const Welcome& welcome) noexcept
      : base_(static_cast<std::uint8_t*>(base)), welcome_(welcome) {}
  ~MappedRing() { munmap(base_, welcome_.ring_bytes); }
  MappedRing(const MappedRing&) = delete;
  MappedRing& operator=(const MappedRing&) = delete;

  const Welcome& welcome() const noexcept { return welcome_; }
  const std::uint8_t* at(std::uint64_t offset) const noexcept { return base_ + offset; }

  const ring::Generation& generation(const FrameHeader& header) const noexcept {
    return *reinterpret_cast<const ring::Generation*>(base_ + welcome_.generation_offset +
                                                      std::uint64_t{header.slot} *
                                                          welcome_.generation_stride);
  }

  // The table's entry, if it is one of `kind`.
  std::optional<Identity> identity(std::uint8_t index, IdentityKind kind) const {
    if (index == kNoIdentity) return std::nullopt;
    auto found = decode_identity(base_ + welcome_.identity_offset +
                                 std::uint64_t{index} * welcome_.identity_stride);
    if (!found || found->kind != kind) return std::nullopt;
    return found;
  }

 private:
  std::uint8_t* base_;
  Welcome welcome_;
};

}  // namespace roadmask
