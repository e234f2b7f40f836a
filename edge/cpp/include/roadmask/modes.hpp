// The small vocabularies of the mask stream; edge/roadmask/stream/modes.py is their copy, and a
// test compares both. Numbers travel on the wire: add, never change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace roadmask {

// What a message is; a client ignores types that it does not know.
enum class MessageType : std::uint16_t {
  WELCOME = 1,
  FRAME = 2,
  STATUS = 3,
  BYE = 4,
};

// How far the output can be used: bits 0-1 of the mode word.
enum class Mode : std::uint32_t {
  OK = 0,
  DEGRADED = 1,  // usable, something is off
  STALE = 2,     // no new frame in time
  FAULT = 3,     // no usable output
};

// Why the mode is not OK: bits 8-31 of the mode word.
enum Reason : std::uint32_t {
  CPU_FALLBACK = 1u << 8,  // the accelerator is gone, the processor took over
  THERMAL = 1u << 9,
  POWER = 1u << 10,  // under-voltage, or a throttled power mode
  LOW_RATE = 1u << 11,
  LOW_CONFIDENCE = 1u << 12,
  DARK = 1u << 13,
  BLOCKED = 1u << 14,         // lens covered or dirty
  FROZEN = 1u << 15,          // the camera repeats one picture
  ESTIMATED_TIME = 1u << 16,  // no usable driver stamp: captured at the latest then
  IMPLAUSIBLE = 1u << 17,     // one category over nearly all of the picture
  FLICKER = 1u << 18,
  DRIFT = 1u << 19,  // INT8 logits left the calibrated range
  NO_NEW_FRAME = 1u << 20,
  CAMERA_LOST = 1u << 21,
  INFERENCE_FAILED = 1u << 22,
  STARTING = 1u << 23,
  BAD_TIMESTAMP = 1u << 24,     // capture time zero or in the future
  SHUTDOWN = 1u << 25,          // BYE: the publisher stops
  NOT_ALLOWED = 1u << 26,       // BYE: user and groups are not on the allow-list
  TOO_MANY_CLIENTS = 1u << 27,  // BYE
  BAD_PICTURE = 1u << 28,       // the camera delivers, but nothing that can be decoded
  OVEREXPOSED = 1u << 29,       // nearly all of the picture is white
  UNVERIFIED = 1u << 30,  // the model's golden frames were not run on this board, or it has none
  REDUCED = 1u << 31,     // by plan at a lower rate, or with a smaller network, than configured
};

// Reasons for which a subscriber gives no mask unless it is told otherwise.
inline constexpr std::uint32_t kRefusedByDefault =
    FROZEN | BLOCKED | DARK | OVEREXPOSED | INFERENCE_FAILED | IMPLAUSIBLE;

// Where a frame comes from and what travels with it.
enum Flag : std::uint32_t {
  DRIVER_TIME = 1u << 0,  // capture time is the driver's, not the time of arrival
  REPLAY = 1u << 1,
  SYNTHETIC = 1u << 2,
  FILE_SOURCE = 1u << 3,  // FILE in Python: a macro of <cstdio> cannot be a name here
  PREVIEW = 1u << 4,
  CONFIDENCE = 1u << 5,
  AGE_UNKNOWN = 1u << 6,  // nobody knows what lies between the exposure and the arrival
};
inline constexpr std::uint32_t kNotLive = REPLAY | SYNTHETIC | FILE_SOURCE;

// Why a subscriber has no mask to give.
enum class NoMask : std::uint32_t {
  NONE = 0,              // it has one
  NOT_CONNECTED = 1,     // nobody listens at the path
  NOT_PERMITTED = 2,     // file mode, or refused by the publisher's allow-list
  AWAITING_WELCOME = 3,  // connected, the publisher has not answered yet
  NO_FRAME = 4,          // connected, nothing published yet
  NO_NEW_FRAME = 5,      // receive: the newest frame was handed out already
  SILENT = 6,            // no message in time: the publisher is stopped, hung or gone
  STALE = 7,
  FAULT = 8,
  TOO_OLD = 9,
  FUTURE = 10,       // captured later than published, or than now
  NOT_LIVE = 11,     // replayed, synthetic or from a file
  OVERWRITTEN = 12,  // the publisher lapped the reader
  CONNECTION_LOST = 13,
  CLOSED = 14,       // the publisher said BYE, or this subscriber was closed
  MALFORMED = 15,    // a check failed: check() names it
  NO_CLOCK = 16,     // across machines: how far their clocks are apart is not known well enough
  AGE_UNKNOWN = 17,  // the source's latency is not known, so the mask has no age
  REFUSED = 18,      // a reason that this subscriber refuses
  FOREIGN_PUBLISHER = 19,  // neither this user, nor root, nor the owner of the socket's folder
  WRONG_MODEL = 20,        // not made by the model that this subscriber names
  FORKED = 21,     // this process is a fork of the one that connected: open a subscriber here
  NO_MEMORY = 22,  // no room for the ring or for a copy
  NO_PLACE = 23,   // the publisher has as many clients as it takes
};

inline constexpr std::size_t kCategories = 8;
// Cityscapes' name of a category id; "unknown" above 7.
const char* category_name(std::size_t category) noexcept;

const char* to_string(Mode mode) noexcept;
const char* to_string(NoMask reason) noexcept;      // a sentence
std::string reason_names(std::uint32_t mode_bits);  // "THERMAL|LOW_RATE", "NONE"
std::string flag_names(std::uint32_t flags);

}  // namespace roadmask
