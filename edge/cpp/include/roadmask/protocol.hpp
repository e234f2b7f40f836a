// Bytes of the mask stream to values, without a socket; docs/protocol.md is the text.
//
// Every message is one SEQPACKET record of at least 256 bytes, little-endian. The structs have
// the wire's own layout: naturally aligned, no padding. edge/roadmask/stream/protocol.py is the
// other codec; both pass the golden vectors of tests/data/protocol.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "roadmask/modes.hpp"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the stream is little-endian, and so must be the machine"
#endif

namespace roadmask {

inline constexpr std::array<char, 4> kMagic = {'R', 'M', 'S', 'K'};
inline constexpr std::uint16_t kMajor = 1;
inline constexpr std::uint16_t kMinor = 2;
inline constexpr std::size_t kMessageBytes = 256;
inline constexpr std::size_t kMaxMessageBytes = 4096;  // a later minor version may append
inline constexpr std::size_t kIdentityBytes = 256;
inline constexpr std::uint8_t kNoIdentity = 255;
// A capture time that no reader of any minor version, and no arithmetic of 64 bits, takes for past.
inline constexpr std::uint64_t kUnknownNs = ~std::uint64_t{0} >> 1;
inline constexpr char kDefaultSocket[] = "/run/roadmask/masks.v1.sock";

struct Prefix {
  std::array<char, 4> magic;
  std::uint16_t type;
  std::uint16_t length;
  std::uint16_t major;
  std::uint16_t minor;
  std::uint32_t flags;
  std::uint64_t stream_id;  // random at each start of a publisher
};

// Where the time of a frame went besides the network, µs; all 0 from a publisher that does not say.
struct Stages {
  std::uint32_t capture;  // from exposure until it was decoded
  std::uint32_t preprocess;
  std::uint32_t wait;  // for the network
  std::uint32_t postprocess;
};

// A FRAME, STATUS or BYE. STATUS and BYE repeat the last frame's sequence and times, point at no
// pixels, and have their own sent_ns and mode. Times are ns CLOCK_BOOTTIME, sizes px, offsets
// bytes into the ring.
struct FrameHeader : Prefix {
  std::uint64_t sequence;  // from 1; also the generation of the slot
  std::uint64_t capture_ns;
  std::uint64_t publish_ns;
  std::uint64_t sent_ns;        // when this very message was sent
  std::uint64_t frame_id;       // the camera's
  std::uint64_t skipped_total;  // camera frames never segmented, since the publisher's start
  std::uint32_t skipped;        // the same, since the last published frame
  std::uint32_t infer_us;
  std::uint32_t mode_bits;
  std::uint32_t max_age_ms;
  std::uint32_t slot;
  std::uint8_t model;  // indices into the identity table, 255 = unknown
  std::uint8_t calibration;
  std::uint8_t camera;
  std::uint8_t labels;
  std::uint32_t mask_width;
  std::uint32_t mask_height;
  std::uint32_t mask_stride;
  std::uint32_t confidence_stride;
  std::uint64_t mask_offset;
  std::uint64_t confidence_offset;  // 0 = no such plane
  std::uint32_t preview_width;
  std::uint32_t preview_height;
  std::uint64_t preview_offset;  // RGB, three bytes a pixel; 0 = no such plane
  std::uint32_t preview_stride;
  std::uint32_t crc32c;  // of the mask's bytes, row by row without padding; 0 = not computed
  float scale_x;         // camera pixel = scale x mask pixel + offset, pixel centres at integers
  float scale_y;
  float offset_x;
  float offset_y;
  std::uint32_t camera_width;
  std::uint32_t camera_height;
  std::array<std::uint16_t, 8> shares;  // pixels of each category, of 65535
  Stages stages;                        // since minor version 1
  // Since minor version 2; 0 before.
  std::uint32_t engine_restarts;    // since the publisher's start
  std::uint8_t verification_entry;  // index into the identity table + 1; 0 = unknown
  std::uint8_t geometry_entry;
  std::uint8_t ego_entry;
  std::uint8_t reserved;
  std::uint64_t arrival_ns;  // with AGE_UNKNOWN only: when the picture came; it is older than that

  Mode mode() const noexcept { return static_cast<Mode>(mode_bits & 0x3); }
  std::uint32_t reasons() const noexcept { return mode_bits & 0xFFFFFF00u; }
  bool age_known() const noexcept { return !(flags & AGE_UNKNOWN); }
  // The capture time; the arrival, where the capture time is not known.
  std::uint64_t seen_ns() const noexcept { return age_known() ? capture_ns : arrival_ns; }
  // Indices into the identity table, in the order of their kinds.
  std::array<std::uint8_t, 7> identities() const noexcept {
    return {model,
            calibration,
            camera,
            labels,
            static_cast<std::uint8_t>(verification_entry - 1),
            static_cast<std::uint8_t>(geometry_entry - 1),
            static_cast<std::uint8_t>(ego_entry - 1)};
  }
};
static_assert(sizeof(FrameHeader) == 224);

// The first message of a connection; the ring's file descriptor comes with it.
struct Welcome : Prefix {
  std::uint64_t sequence;  // the first FRAME to come has a higher one
  std::uint64_t sent_ns;
  std::uint64_t ring_bytes;
  std::uint64_t slots_offset;
  std::uint64_t slot_bytes;
  std::uint32_t slots;
  std::uint32_t generation_stride;
  std::uint64_t generation_offset;
  std::uint64_t identity_offset;
  std::uint32_t identity_stride;
  std::uint32_t identity_count;  // entries that the table has room for
  std::uint64_t frame_period_ns;
  std::uint32_t heartbeat_ms;
  std::uint32_t silence_ms;
  std::uint32_t max_age_ms;
  std::uint32_t reserved;
  std::uint64_t time_namespace;  // inode of /proc/self/ns/time; 0 = unknown
};
static_assert(sizeof(Welcome) == 128);

enum class IdentityKind : std::uint32_t {
  EMPTY,
  MODEL,
  CALIBRATION,
  CAMERA,
  LABELS,
  VERIFICATION,  // how the golden frames ended, and their digest
  GEOMETRY,      // the camera model by which the mask may be measured
  EGO,           // what the camera sees of its own vehicle
};

// What a frame was made with.
struct Identity {
  IdentityKind kind;
  std::string name;
  std::array<std::uint8_t, 32> digest;  // SHA-256
  std::size_t colors;                   // of a label set: entries of colors_rgb
  std::array<std::array<std::uint8_t, 3>, 32> colors_rgb;
  std::array<std::uint8_t, 128> body;  // the entry's bytes from 128 on; of EGO `colors` points
};

// The check that a message or a ring failed; the names are the values of Python's roadmask.Check.
enum class Check {
  none,
  size,
  magic,
  version,
  welcome,
  descriptor,
  seals,
  ring_size,
  ring_layout,
  limits,
  clock,
  stream_id,
  sequence,
  slot,
  mask_size,
  mask_bounds,
  confidence_bounds,
  preview_bounds,
  transform,
  camera_size,
  identity,
  socket,
  crc,
  category,
};
const char* to_string(Check check) noexcept;

struct Unknown {};  // a message of a later minor version: ignore it
using Message = std::variant<Check, Unknown, Welcome, FrameHeader>;

// The message in `size` bytes; a Check for what is no message. Values are not checked here.
Message decode(const void* data, std::size_t size) noexcept;

// The 256 bytes of a message.
std::array<std::uint8_t, kMessageBytes> encode(const Welcome& welcome) noexcept;
std::array<std::uint8_t, kMessageBytes> encode(const FrameHeader& header) noexcept;

// One entry of the identity table (kIdentityBytes readable bytes); nullopt if it is malformed.
std::optional<Identity> decode_identity(const std::uint8_t* entry);

// Every bound of the ring that a WELCOME announces, against the real size of its file.
Check check_welcome(const Welcome& welcome, std::uint64_t file_bytes) noexcept;
// What FRAME, STATUS and BYE have in common.
Check check_message(const FrameHeader& header, const Welcome& welcome, std::uint64_t last_sequence,
                    std::uint64_t now_ns) noexcept;
// Every bound of a FRAME, after check_message.
Check check_frame(const FrameHeader& header, const Welcome& welcome,
                  std::uint64_t last_sequence) noexcept;

}  // namespace roadmask
