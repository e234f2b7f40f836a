// The messages of one stream after its WELCOME: received, decoded, checked, the newest kept.
//
// One for both SDKs. Never blocks, never allocates, and a call takes in at most kMostMessages:
// a publisher that sends without end holds nobody up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "roadmask/protocol.hpp"

namespace roadmask {

class Inbox {
 public:
  // What `read` found, as bits: several at once; the last three end the stream.
  enum Found : unsigned {
    kFrame = 1,
    kStatus = 2,
    kMore = 4,
    kBye = 8,
    kClosed = 16,
    kMalformed = 32
  };
  static constexpr unsigned kEnds = kBye | kClosed | kMalformed;
  // More than a publisher's send buffer holds: who reads every few seconds is still up to date.
  static constexpr unsigned kMostMessages = 512;
  using Bytes = std::array<std::uint8_t, kMessageBytes>;
  static constexpr std::size_t kPast = 64;  // FRAMEs kept, if the ring has so many slots

  // Frames whose planes have more than `most_plane_bytes` together are refused.
  Inbox(const Welcome& welcome, std::uint64_t most_plane_bytes) noexcept
      : welcome_(welcome), most_plane_bytes_(most_plane_bytes), last_sequence_(welcome.sequence) {}

  // Take in what waits at `fd`, up to `most` messages (0: kMostMessages). What ended the stream is
  // answered again by every later call, and nothing is read any more.
  unsigned read(int fd, unsigned most = 0) noexcept;
  // From now on nothing is read: the descriptor's number may be another file's.
  void close() noexcept { ended_ |= kClosed; }
  unsigned ended() const noexcept { return ended_; }

  const Welcome& welcome() const noexcept { return welcome_; }
  const Bytes& frame() const noexcept { return frame_; }    // the last FRAME
  const Bytes& status() const noexcept { return status_; }  // the last FRAME or STATUS
  // The FRAMEs whose slots may still hold them, the oldest first.
  std::size_t past_count() const noexcept;
  const Bytes& past(std::size_t index) const noexcept;
  const std::uint8_t* message() const noexcept { return data_.data(); }  // the last of any kind
  std::size_t message_size() const noexcept { return size_; }
  std::uint64_t last_sequence() const noexcept { return last_sequence_; }
  std::uint64_t most_plane_bytes() const noexcept { return most_plane_bytes_; }
  Check check() const noexcept { return check_; }  // why it is malformed
  int error() const noexcept { return error_; }    // why it is closed; 0: its end was read

 private:
  unsigned read_one(int fd) noexcept;
  unsigned examine() noexcept;
  unsigned malformed(Check check) noexcept;

  Welcome welcome_;
  std::uint64_t most_plane_bytes_;
  std::uint64_t last_sequence_;
  Check check_ = Check::none;
  int error_ = 0;
  unsigned ended_ = 0;
  std::size_t size_ = 0;
  std::array<std::uint8_t, kMaxMessageBytes> data_{};
  Bytes frame_{}, status_{};
  std::size_t frames_ = 0;  // received
  std::array<Bytes, kPast> past_;
};

// The header in a message that is known to be a FRAME, STATUS or BYE.
FrameHeader header_of(const std::uint8_t* message) noexcept;

// Bytes of the frame's planes, rows without padding.
std::uint64_t plane_bytes(const FrameHeader& frame) noexcept;

}  // namespace roadmask
