#include <ctime>
#include <new>

#include "mapped_ring.hpp"
#include "roadmask/subscriber.hpp"

namespace roadmask {
namespace {

// Nothing, where it is not told, malformed, of another kind, or there is no memory for its name.
std::optional<Identity> entry(const MappedRing* ring, std::uint8_t index,
                              IdentityKind kind) noexcept {
  try {
    return ring ? ring->identity(index, kind) : std::nullopt;
  } catch (const std::bad_alloc&) {
    return std::nullopt;
  }
}

}  // namespace

std::uint64_t now_ns() noexcept {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::int64_t Mask::age_ns() const noexcept {
  return static_cast<std::int64_t>(now_ns() - header_.seen_ns());
}

bool Mask::valid() const noexcept {
  if (!ring_) return false;
  if (!copied_ && !ring::still_holds(ring_->generation(header_), header_.sequence)) return false;
  const std::int64_t age = age_ns();
  return age >= 0 && static_cast<std::uint64_t>(age) <= limit_ns_;
}

std::optional<Identity> Mask::model() const noexcept {
  return entry(ring_.get(), header_.model, IdentityKind::MODEL);
}
std::optional<Identity> Mask::calibration() const noexcept {
  return entry(ring_.get(), header_.calibration, IdentityKind::CALIBRATION);
}
std::optional<Identity> Mask::camera() const noexcept {
  return entry(ring_.get(), header_.camera, IdentityKind::CAMERA);
}
std::optional<Identity> Mask::labels() const noexcept {
  return entry(ring_.get(), header_.labels, IdentityKind::LABELS);
}
std::optional<Identity> Mask::verification() const noexcept {
  return entry(ring_.get(), header_.identities()[4], IdentityKind::VERIFICATION);
}
std::optional<Identity> Mask::geometry_identity() const noexcept {
  return entry(ring_.get(), header_.identities()[5], IdentityKind::GEOMETRY);
}
std::optional<Geometry> Mask::geometry() const noexcept {
  const auto found = geometry_identity();
  if (!found) return std::nullopt;
  const auto ego = entry(ring_.get(), header_.identities()[6], IdentityKind::EGO);
  return geometry_of(*found, ego ? &*ego : nullptr);
}

}  // namespace roadmask
