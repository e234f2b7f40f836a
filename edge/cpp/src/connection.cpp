#include "connection.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "publisher_user.hpp"
#include "roadmask/subscriber.hpp"

#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif

namespace roadmask {
namespace {

constexpr std::uint64_t kRetryNs = 20'000'000;
constexpr std::uint64_t kWelcomeWaitNs = 1'000'000'000;
constexpr std::uint64_t kForeverNs = 3'600'000'000'000;
constexpr int kSeals = 0x1 | 0x2 | 0x4 | 0x10;  // SEAL, SHRINK, GROW, FUTURE_WRITE
constexpr int kDescriptors = 4;  // room for more than the one that is due: a surplus is seen
constexpr int kReceiveFlags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;

std::uint64_t time_namespace() noexcept {
  struct stat info;
  return ::stat("/proc/self/ns/time", &info) == 0 ? info.st_ino : 0;
}

bool would_block() noexcept { return errno == EAGAIN || errno == EWOULDBLOCK; }

}  // namespace

void Connection::pump() {
  if (fd_ < 0 && !ended) connect();
  if (fd_ < 0 || (!ring && !shake_hands())) return;
  while (fd_ >= 0 && read_one()) {
  }
}

std::uint64_t Connection::wait_ns() const noexcept {
  const std::uint64_t until = fd_ < 0 ? retry_ns_ : ring ? 0 : since_ns_ + kWelcomeWaitNs;
  if (until == 0) return kForeverNs;
  const std::uint64_t now = now_ns();
  return until > now ? until - now : 0;
}

void Connection::close() noexcept {
  lose(NoMask::CLOSED, "closed by this process");
  ended = true;
}

void Connection::connect() {
  const std::uint64_t now = now_ns();
  if (now < retry_ns_) return;
  retry_ns_ = now + kRetryNs;
  if (const char* wrong = unusable_path(path_)) {
    check = Check::socket;
    return lose(NoMask::MALFORMED, wrong);
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  int error = ENAMETOOLONG;
  int connecting = -1;
  if (path_.size() < sizeof address.sun_path) {
    std::memcpy(address.sun_path, path_.data(), path_.size());
    connecting = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    error = connecting >= 0 && ::connect(connecting, name, sizeof address) == 0 ? 0 : errno;
  }
  if (error == 0) {
    fd_ = connecting;
    since_ns_ = now;
    if (std::string foreign = foreign_publisher(fd_, path_, user_); !foreign.empty())
      return lose(NoMask::FOREIGN_PUBLISHER, std::move(foreign));
    reason = NoMask::AWAITING_WELCOME;
    detail.clear();
    return;
  }
  if (connecting >= 0) ::close(connecting);
  check = Check::none;
  if (error == EACCES || error == EPERM) {
    reason = NoMask::NOT_PERMITTED;
  } else if (error == ENOENT || error == ECONNREFUSED || error == EAGAIN) {
    reason = NoMask::NOT_CONNECTED;
  } else {  // EPROTOTYPE: a stream or datagram socket; ENAMETOOLONG; ENOTDIR
    reason = NoMask::MALFORMED;
    check = Check::socket;
  }
  detail = std::strerror(error);
  ended = !reconnect_;
}

bool Connection::shake_hands() {
  std::array<std::uint8_t, kMaxMessageBytes> data;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kDescriptors)> control{};
  iovec part{data.data(), data.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(fd_, &message, kReceiveFlags);
  if (size < 0) {
    if (!would_block()) {
      lose(NoMask::CONNECTION_LOST, std::strerror(errno));
    } else if (now_ns() - since_ns_ > kWelcomeWaitNs) {
      malformed(Check::welcome);
    }
    return false;
  }
  std::array<int, kDescriptors> descriptors{};
  std::size_t count = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t here =
        std::min((c->cmsg_len - CMSG_LEN(0)) / sizeof(int), kDescriptors - count);
    std::memcpy(descriptors.data() + count, CMSG_DATA(c), here * sizeof(int));
    count += here;
  }
  Check failed = Check::none;
  if (size == 0) {
    lose(NoMask::CONNECTION_LOST, "closed before WELCOME");
  } else {
    const Message first = decode(data.data(), static_cast<std::size_t>(size));
    const auto* header = std::get_if<FrameHeader>(&first);
    const auto* welcome = std::get_if<Welcome>(&first);
    if (const auto* wrong = std::get_if<Check>(&first)) {
      failed = *wrong;
    } else if (header && header->type == static_cast<std::uint16_t>(MessageType::BYE)) {
      end(*header);
    } else if (!welcome) {
      failed = Check::welcome;
    } else {
      failed = count == 1 ? open(*welcome, descriptors[0]) : Check::descriptor;
    }
  }
  for (std::size_t i = 0; i < count; ++i) ::close(descriptors[i]);
  if (failed != Check::none) malformed(failed);
  return ring != nullptr;
}

Check Connection::open(const Welcome& welcome, int ring_fd) {
  const int seals = ::fcntl(ring_fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return Check::seals;
  struct stat info;
  if (::fstat(ring_fd, &info) != 0) return Check::ring_size;
  const Check failed = check_welcome(welcome, static_cast<std::uint64_t>(info.st_size));
  if (failed != Check::none) return failed;
  const std::uint64_t here = time_namespace();
  // Elsewhere CLOCK_BOOTTIME is shifted, and every age would be wrong.
  if (welcome.time_namespace && here && welcome.time_namespace != here) return Check::clock;
  void* base = ::mmap(nullptr, welcome.ring_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, ring_fd, 0);
  if (base == MAP_FAILED) return Check::ring_size;
  ring = std::make_shared<MappedRing>(base, welcome);
  last_sequence_ = welcome.sequence;
  reason = NoMask::NONE;
  detail.clear();
  check = Check::none;
  return Check::none;
}

bool Connection::read_one() {
  std::array<std::uint8_t, kMaxMessageBytes> data;
  const ssize_t size = ::recv(fd_, data.data(), data.size(), kReceiveFlags);
  if (size < 0) {
    if (errno == EINTR) return true;
    if (!would_block()) lose(NoMask::CONNECTION_LOST, std::strerror(errno));
    return false;
  }
  if (size == 0) {
    lose(NoMask::CONNECTION_LOST, "the publisher is gone");
    return false;
  }
  const Message message = decode(data.data(), static_cast<std::size_t>(size));
  if (const auto* wrong = std::get_if<Check>(&message)) {
    malformed(*wrong);
    return false;
  }
  const auto* header = std::get_if<FrameHeader>(&message);
  if (!header) return true;  // of a later minor version
  const bool is_frame = header->type == static_cast<std::uint16_t>(MessageType::FRAME);
  Check failed = check_message(*header, ring->welcome(), last_sequence_, now_ns());
  if (failed == Check::none && is_frame)
    failed = check_frame(*header, ring->welcome(), last_sequence_);
  if (failed != Check::none) {
    malformed(failed);
    return false;
  }
  if (header->type == static_cast<std::uint16_t>(MessageType::BYE)) {
    end(*header);
    return false;
  }
  if (is_frame) frame = *header;
  last_sequence_ = header->sequence;
  status = *header;
  return true;
}

void Connection::end(const FrameHeader& bye) {
  if (bye.reasons() & NOT_ALLOWED)
    lose(NoMask::NOT_PERMITTED, "refused by the publisher's allow-list");
  else if (bye.reasons() & TOO_MANY_CLIENTS)
    lose(NoMask::NOT_PERMITTED, "the publisher has as many clients as it takes");
  else
    lose(NoMask::CLOSED, "the publisher said BYE");
}

void Connection::malformed(Check failed) {
  check = failed;
  lose(NoMask::MALFORMED, to_string(failed));
}

void Connection::lose(NoMask why, std::string text) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  ring.reset();  // unmapped when no view is left
  frame.reset();
  status.reset();
  last_sequence_ = 0;
  reason = why;
  detail = std::move(text);
  retry_ns_ = now_ns() + kRetryNs;
  ended = ended || !reconnect_;
}

}  // namespace roadmask
