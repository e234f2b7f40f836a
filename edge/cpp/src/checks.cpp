// What a subscriber checks before it touches a byte of the ring; edge/roadmask/stream/checks.py
// makes the same checks, in the same order, under the same names. All sums are arranged not to
// overflow.
#include <cmath>

#include "roadmask/protocol.hpp"

namespace roadmask {
namespace {

constexpr std::uint32_t kMaxSlots = 64;
constexpr std::uint64_t kMaxRingBytes = std::uint64_t{1} << 32;
constexpr std::uint32_t kMaxSidePx = 16384;
constexpr std::uint32_t kMaxCameraPx = 65535;
constexpr std::uint32_t kMaxLimitMs = 60000;

bool within(std::uint32_t value, std::uint32_t low, std::uint32_t high) noexcept {
  return value >= low && value <= high;
}

// `count` items of `stride` bytes from `offset` lie within `bytes`.
bool fits(std::uint64_t offset, std::uint64_t stride, std::uint32_t count,
          std::uint64_t bytes) noexcept {
  if (offset > bytes) return false;
  return stride == 0 || count <= (bytes - offset) / stride;
}

// `rows` rows of `row_bytes` every `stride` from `offset` lie within [first, end).
bool plane_fits(std::uint64_t offset, std::uint64_t stride, std::uint64_t row_bytes,
                std::uint64_t rows, std::uint64_t first, std::uint64_t end) noexcept {
  if (stride < row_bytes || offset < first || offset > end || end - offset < row_bytes)
    return false;
  return rows - 1 <= (end - offset - row_bytes) / stride;
}

}  // namespace

Check check_welcome(const Welcome& w, std::uint64_t file_bytes) noexcept {
  if (w.ring_bytes > file_bytes || w.ring_bytes == 0 || w.ring_bytes > kMaxRingBytes)
    return Check::ring_size;
  if (!within(w.slots, 2, kMaxSlots)) return Check::ring_layout;
  if (w.generation_stride < 8 || w.generation_stride % 8 || w.generation_offset % 8)
    return Check::ring_layout;
  if (!fits(w.generation_offset, w.generation_stride, w.slots, w.ring_bytes) ||
      !fits(w.identity_offset, w.identity_stride, w.identity_count, w.ring_bytes) ||
      !fits(w.slots_offset, w.slot_bytes, w.slots, w.ring_bytes))
    return Check::ring_layout;
  if (w.slot_bytes < 1 || w.slots_offset < 8) return Check::ring_layout;
  if (w.identity_count > kNoIdentity || (w.identity_count && w.identity_stride < kIdentityBytes))
    return Check::ring_layout;
  if (!within(w.heartbeat_ms, 1, kMaxLimitMs) || !within(w.silence_ms, 1, kMaxLimitMs) ||
      !within(w.max_age_ms, 1, kMaxLimitMs))
    return Check::limits;
  return w.stream_id == 0 ? Check::stream_id : Check::none;
}

Check check_message(const FrameHeader& h, const Welcome& welcome, std::uint64_t last_sequence,
                    std::uint64_t now_ns) noexcept {
  if (h.stream_id != welcome.stream_id) return Check::stream_id;
  if (h.sequence < last_sequence) return Check::sequence;
  if (h.sent_ns > now_ns || h.publish_ns > h.sent_ns) return Check::clock;
  return Check::none;
}

Check check_frame(const FrameHeader& h, const Welcome& welcome,
                  std::uint64_t last_sequence) noexcept {
  if (h.sequence <= last_sequence) return Check::sequence;
  if (h.slot >= welcome.slots) return Check::slot;
  if (!within(h.mask_width, 1, kMaxSidePx) || !within(h.mask_height, 1, kMaxSidePx))
    return Check::mask_size;
  const std::uint64_t first = welcome.slots_offset + h.slot * welcome.slot_bytes;
  const std::uint64_t end = first + welcome.slot_bytes;
  if (!plane_fits(h.mask_offset, h.mask_stride, h.mask_width, h.mask_height, first, end))
    return Check::mask_bounds;
  if (((h.flags & CONFIDENCE) != 0) != (h.confidence_offset != 0)) return Check::confidence_bounds;
  if (h.confidence_offset && !plane_fits(h.confidence_offset, h.confidence_stride, h.mask_width,
                                         h.mask_height, first, end))
    return Check::confidence_bounds;
  if (((h.flags & PREVIEW) != 0) != (h.preview_offset != 0)) return Check::preview_bounds;
  if (h.preview_offset &&
      (!within(h.preview_width, 1, kMaxSidePx) || !within(h.preview_height, 1, kMaxSidePx) ||
       !plane_fits(h.preview_offset, h.preview_stride, 3 * std::uint64_t{h.preview_width},
                   h.preview_height, first, end)))
    return Check::preview_bounds;
  for (const float value : {h.scale_x, h.scale_y, h.offset_x, h.offset_y})
    if (!std::isfinite(value)) return Check::transform;
  if (h.scale_x <= 0 || h.scale_y <= 0) return Check::transform;
  if (!within(h.camera_width, 1, kMaxCameraPx) || !within(h.camera_height, 1, kMaxCameraPx))
    return Check::camera_size;
  for (const std::uint8_t index : h.identities())
    if (index >= welcome.identity_count && index != kNoIdentity) return Check::identity;
  return within(h.max_age_ms, 1, kMaxLimitMs) ? Check::none : Check::limits;
}

}  // namespace roadmask
