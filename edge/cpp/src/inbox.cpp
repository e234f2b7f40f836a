#include "inbox.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "roadmask/subscriber.hpp"

namespace roadmask {
namespace {

constexpr unsigned kNothing = 0x80;  // not outside of `read`

}  // namespace

FrameHeader header_of(const std::uint8_t* message) noexcept {
  FrameHeader header;
  std::memcpy(&header, message, sizeof header);
  return header;
}

std::uint64_t plane_bytes(const FrameHeader& h) noexcept {
  const std::uint64_t mask = std::uint64_t{h.mask_width} * h.mask_height;
  const std::uint64_t preview = std::uint64_t{3} * h.preview_width * h.preview_height;
  return mask + (h.confidence_offset ? mask : 0) + (h.preview_offset ? preview : 0);
}

unsigned Inbox::read(int fd, unsigned most) noexcept {
  if (most == 0 || most > kMostMessages) most = kMostMessages;
  unsigned found = ended_;
  for (unsigned count = 0; count < most && !ended_; ++count) {
    const unsigned one = read_one(fd);
    if (one == kNothing) return found;
    found |= one;
    ended_ = one & kEnds;
  }
  return ended_ ? found : found | kMore;
}

unsigned Inbox::read_one(int fd) noexcept {
  const ssize_t size = ::recv(fd, data_.data(), data_.size(), MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) {
    if (errno == EINTR) return 0;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return kNothing;
    error_ = errno;
    return kClosed;
  }
  size_ = static_cast<std::size_t>(size);
  return size == 0 ? unsigned{kClosed} : examine();
}

unsigned Inbox::examine() noexcept {
  const Message message = decode(data_.data(), size_);
  if (const auto* wrong = std::get_if<Check>(&message)) return malformed(*wrong);
  const auto* header = std::get_if<FrameHeader>(&message);
  if (!header) return 0;  // of a later minor version
  const bool is_frame = header->type == static_cast<std::uint16_t>(MessageType::FRAME);
  Check failed = check_message(*header, welcome_, last_sequence_, now_ns());
  if (failed == Check::none && is_frame) failed = check_frame(*header, welcome_, last_sequence_);
  if (failed == Check::none && is_frame && plane_bytes(*header) > most_plane_bytes_)
    failed = Check::mask_size;
  if (failed != Check::none) return malformed(failed);
  if (header->type == static_cast<std::uint16_t>(MessageType::BYE)) return kBye;
  last_sequence_ = header->sequence;
  std::copy_n(data_.begin(), status_.size(), status_.begin());
  if (is_frame) past_[frames_++ % kPast] = frame_ = status_;
  return is_frame ? kFrame : kStatus;
}

std::size_t Inbox::past_count() const noexcept {
  return std::min({frames_, kPast, static_cast<std::size_t>(welcome_.slots)});
}

const Inbox::Bytes& Inbox::past(std::size_t index) const noexcept {
  return past_[(frames_ - past_count() + index) % kPast];
}

unsigned Inbox::malformed(Check check) noexcept {
  check_ = check;
  return kMalformed;
}

}  // namespace roadmask
