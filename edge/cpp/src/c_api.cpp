// roadmask.h over the C++ subscriber: plain structs in and out, no exception leaves.
#include <algorithm>
#include <cstring>
#include <new>

#include "roadmask.h"
#include "roadmask/subscriber.hpp"

using namespace roadmask;

struct roadmask_subscriber {
  Subscriber subscriber;
};

struct roadmask_mask {
  Mask mask;
  bool there = false;
};

namespace {

constexpr std::uint32_t kKnownFlags = ROADMASK_ALLOW_NOT_LIVE | ROADMASK_ACCEPT_UNKNOWN_AGE |
                                      ROADMASK_NO_RECONNECT | ROADMASK_PREVIEW;
constexpr std::uint32_t kLeastOptions = 48;  // of ABI 1
static_assert(sizeof(roadmask_options) == 48 && sizeof(roadmask_frame) == 192);
static_assert(sizeof(roadmask_identity) == 236 && sizeof(roadmask_statistics) == 32);

roadmask_options defaults() noexcept {
  const Options own;
  roadmask_options options{};
  options.size = sizeof options;
  options.max_age_ms = own.max_age.count();
  options.refuse = own.refuse;
  options.max_ring_bytes = own.max_ring_bytes;
  return options;
}

// As much as the caller's struct has room for; what it knows and we do not is 0.
template <typename T>
int give(T* out, T value) noexcept {
  const std::uint32_t size = out->size;
  if (size < sizeof size) return 0;
  value.size = size;
  std::memset(static_cast<void*>(out), 0, size);
  std::memcpy(static_cast<void*>(out), &value, std::min<std::size_t>(size, sizeof value));
  return 1;
}

// The caller's options; false where they are too short, or set what this library does not know.
bool take(const roadmask_options* given, roadmask_options& options) noexcept {
  if (!given) return true;
  if (given->size < kLeastOptions) return false;
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  const std::size_t known = std::min<std::size_t>(given->size, sizeof options);
  if (std::any_of(bytes + known, bytes + given->size, [](auto b) { return b != 0; })) return false;
  std::memcpy(&options, given, known);
  return !(options.flags & ~kKnownFlags) && options.reserved == 0 && options.max_age_ms >= 0;
}

Options of_c(const roadmask_options& c) {
  Options options;
  options.allow_not_live = c.flags & ROADMASK_ALLOW_NOT_LIVE;
  options.accept_unknown_age = c.flags & ROADMASK_ACCEPT_UNKNOWN_AGE;
  options.reconnect = !(c.flags & ROADMASK_NO_RECONNECT);
  options.preview = c.flags & ROADMASK_PREVIEW;
  options.max_age = std::chrono::milliseconds(c.max_age_ms);
  options.refuse = c.refuse;
  options.max_ring_bytes = c.max_ring_bytes;
  if (c.publisher_user) options.publisher_user = c.publisher_user;
  if (c.model) options.model = c.model;
  return options;
}

template <typename F>
std::uint32_t called(roadmask_subscriber* subscriber, roadmask_mask* mask, F&& call) noexcept {
  if (!subscriber || !mask) return ROADMASK_BAD_ARGUMENT;
  mask->there = false;
  try {
    mask->there = call(subscriber->subscriber, mask->mask);
  } catch (const std::exception&) {
    return ROADMASK_NO_MASK_NO_MEMORY;
  }
  if (mask->there) return ROADMASK_MASK;
  const NoMask why = subscriber->subscriber.reason();
  // Another thread got one in between: still none for this one.
  return static_cast<std::uint32_t>(why == NoMask::NONE ? NoMask::NO_NEW_FRAME : why);
}

template <typename F>
std::size_t write_text(char* text, std::size_t size, F&& make) noexcept {
  if (text && size) *text = 0;
  try {
    const std::string whole = make();
    if (!text || !size) return whole.size();
    const std::size_t count = std::min(whole.size(), size - 1);
    std::memcpy(text, whole.data(), count);
    text[count] = 0;
    return whole.size();
  } catch (const std::exception&) {
    return 0;
  }
}

std::optional<Identity> identity_of(const Mask& mask, std::uint32_t kind) {
  switch (kind) {
    case ROADMASK_MODEL: return mask.model();
    case ROADMASK_CALIBRATION: return mask.calibration();
    case ROADMASK_CAMERA: return mask.camera();
    case ROADMASK_LABELS: return mask.labels();
    case ROADMASK_VERIFICATION: return mask.verification();
    case ROADMASK_GEOMETRY: return mask.geometry_identity();
    default: return std::nullopt;
  }
}

}  // namespace

extern "C" {

uint32_t roadmask_abi(void) { return ROADMASK_ABI; }
const char* roadmask_version(void) { return ROADMASK_VERSION; }
uint64_t roadmask_now_ns(void) { return now_ns(); }

void roadmask_options_init(roadmask_options* options, uint32_t size) {
  if (!options) return;
  options->size = size;
  give(options, defaults());
}

uint32_t roadmask_open(const char* path, const roadmask_options* options,
                       roadmask_subscriber** subscriber) {
  if (!subscriber) return ROADMASK_BAD_ARGUMENT;
  *subscriber = nullptr;
  roadmask_options taken = defaults();
  if (!take(options, taken)) return ROADMASK_BAD_ARGUMENT;
  try {
    *subscriber = new roadmask_subscriber{Subscriber(path ? path : kDefaultSocket, of_c(taken))};
    return 0;
  } catch (const std::exception&) {
    return ROADMASK_NO_MASK_NO_MEMORY;
  }
}

void roadmask_close(roadmask_subscriber* subscriber) {
  if (subscriber) subscriber->subscriber.close();
}
void roadmask_free(roadmask_subscriber* subscriber) { delete subscriber; }

roadmask_mask* roadmask_mask_new(void) { return new (std::nothrow) roadmask_mask; }
void roadmask_mask_free(roadmask_mask* mask) { delete mask; }

uint32_t roadmask_receive(roadmask_subscriber* subscriber, roadmask_mask* mask,
                          int64_t timeout_ms) {
  return called(subscriber, mask, [&](Subscriber& s, Mask& m) {
    return s.receive(m, std::chrono::milliseconds(timeout_ms));
  });
}

uint32_t roadmask_latest(roadmask_subscriber* subscriber, roadmask_mask* mask, int64_t max_age_ms) {
  return called(subscriber, mask, [&](Subscriber& s, Mask& m) {
    return s.latest(m, std::chrono::milliseconds(max_age_ms));
  });
}

uint32_t roadmask_latest_view(roadmask_subscriber* subscriber, roadmask_mask* mask,
                              int64_t max_age_ms) {
  return called(subscriber, mask, [&](Subscriber& s, Mask& m) {
    return s.latest_view(m, std::chrono::milliseconds(max_age_ms));
  });
}

int roadmask_mask_frame(const roadmask_mask* mask, roadmask_frame* frame) {
  if (!mask || !frame || !mask->there) return 0;
  const Mask& m = mask->mask;
  const FrameHeader& h = m.header();
  roadmask_frame f{};
  f.mode = static_cast<std::uint32_t>(h.mode());
  f.reasons = h.reasons();
  f.flags = h.flags;
  f.stream_id = h.stream_id, f.sequence = h.sequence;
  f.capture_ns = m.capture_timestamp_ns(), f.publish_ns = h.publish_ns;
  f.valid_until_ns = m.valid_until_ns();
  f.frame_id = h.frame_id, f.skipped_total = h.skipped_total, f.skipped = h.skipped;
  f.infer_us = h.infer_us;
  std::memcpy(f.stage_us, &h.stages, sizeof f.stage_us);
  f.scale_x = h.scale_x, f.scale_y = h.scale_y, f.offset_x = h.offset_x, f.offset_y = h.offset_y;
  f.camera_width = h.camera_width, f.camera_height = h.camera_height;
  std::copy(h.shares.begin(), h.shares.end(), f.shares);
  f.pixels = m.pixels(), f.confidence = m.confidence(), f.preview = m.preview();
  f.width = m.width(), f.height = m.height();
  f.stride = static_cast<std::uint32_t>(m.stride());
  if (f.confidence) f.confidence_stride = static_cast<std::uint32_t>(m.confidence_stride());
  if (f.preview) {
    f.preview_width = m.preview_width(), f.preview_height = m.preview_height();
    f.preview_stride = static_cast<std::uint32_t>(m.preview_stride());
  }
  return give(frame, f);
}

int roadmask_mask_identity(const roadmask_mask* mask, uint32_t kind, roadmask_identity* identity) {
  if (!mask || !identity || !mask->there) return 0;
  try {
    const auto found = identity_of(mask->mask, kind);
    if (!found) return 0;
    roadmask_identity known{};
    known.kind = kind;
    std::copy(found->digest.begin(), found->digest.end(), known.sha256);
    std::memcpy(known.name, found->name.data(),
                std::min(found->name.size(), sizeof known.name - 1));
    known.colors = static_cast<std::uint32_t>(found->colors);
    std::memcpy(known.colors_rgb, found->colors_rgb.data(), sizeof known.colors_rgb);
    return give(identity, known);
  } catch (const std::exception&) {
    return 0;
  }
}

int roadmask_mask_valid(const roadmask_mask* mask) {
  return mask && mask->there && mask->mask.valid();
}

int64_t roadmask_mask_age_ns(const roadmask_mask* mask) {
  return mask && mask->there ? mask->mask.age_ns() : INT64_MAX;
}

int roadmask_statistics_of(const roadmask_subscriber* subscriber, roadmask_statistics* statistics) {
  if (!subscriber || !statistics) return 0;
  const Subscriber& s = subscriber->subscriber;
  return give(statistics,
              roadmask_statistics{0, s.connected(), s.ended(), 0, s.dropped(), s.torn()});
}

int roadmask_fileno(const roadmask_subscriber* subscriber) {
  return subscriber ? subscriber->subscriber.fileno() : -1;
}

size_t roadmask_reason_text(const roadmask_subscriber* subscriber, char* text, size_t size) {
  return write_text(text, size, [&] {
    return subscriber ? subscriber->subscriber.reason_text() : std::string("no subscriber");
  });
}

size_t roadmask_reason_names(uint32_t reasons, char* text, size_t size) {
  return write_text(text, size, [&] { return reason_names(reasons); });
}

const char* roadmask_no_mask_text(uint32_t no_mask) {
  return no_mask == ROADMASK_BAD_ARGUMENT ? "an argument that cannot be used"
                                          : to_string(static_cast<NoMask>(no_mask));
}
const char* roadmask_mode_name(uint32_t mode) { return to_string(static_cast<Mode>(mode)); }
const char* roadmask_category_name(uint32_t category) { return category_name(category); }

}  // extern "C"
