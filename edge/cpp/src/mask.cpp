#include <ctime>

#include "mapped_ring.hpp"
#include "roadmask/subscriber.hpp"

namespace roadmask {

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

std::optional<Identity> Mask::model() const {
  return ring_ ? ring_->identity(header_.model, IdentityKind::MODEL) : std::nullopt;
}
std::optional<Identity> Mask::calibration() const {
  return ring_ ? ring_->identity(header_.calibration, IdentityKind::CALIBRATION) : std::nullopt;
}
std::optional<Identity> Mask::camera() const {
  return ring_ ? ring_->identity(header_.camera, IdentityKind::CAMERA) : std::nullopt;
}
std::optional<Identity> Mask::labels() const {
  return ring_ ? ring_->identity(header_.labels, IdentityKind::LABELS) : std::nullopt;
}
std::optional<Identity> Mask::verification() const {
  return ring_ ? ring_->identity(header_.identities()[4], IdentityKind::VERIFICATION)
               : std::nullopt;
}
std::optional<Identity> Mask::geometry_identity() const {
  return ring_ ? ring_->identity(header_.identities()[5], IdentityKind::GEOMETRY) : std::nullopt;
}
std::optional<Geometry> Mask::geometry() const {
  const auto found = geometry_identity();
  if (!found) return std::nullopt;
  const auto ego = ring_->identity(header_.identities()[6], IdentityKind::EGO);
  return geometry_of(*found, ego ? &*ego : nullptr);
}

}  // namespace roadmask
