#include "connection.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "process_id.hpp"
#include "publisher_user.hpp"
#include "roadmask/subscriber.hpp"

namespace roadmask {
namespace {

constexpr std::uint64_t kRetryNs = 20'000'000;
constexpr std::uint64_t kWelcomeWaitNs = 1'000'000'000;
constexpr std::uint64_t kForeverNs = 3'600'000'000'000;
constexpr int kDescriptors = 4;  // room for more than the one that is due: a surplus is seen
constexpr int kReceiveFlags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
// A publisher's ring has eight slots: what one frame may have of it.
constexpr std::uint64_t kFramesInRing = 8;

bool would_block() noexcept { return errno == EAGAIN || errno == EWOULDBLOCK; }

// What lies at a path that nobody listens at.
const char* nobody_at(const char* path, int error) noexcept {
  struct stat info;
  if (error != ECONNREFUSED || ::stat(path, &info) != 0) return std::strerror(error);
  if (S_ISDIR(info.st_mode)) return "it is a folder, not a socket";
  return S_ISSOCK(info.st_mode) ? std::strerror(error) : "it is a file, not a socket";
}

// The descriptors that came with a message, closed again at the end.
struct Descriptors {
  explicit Descriptors(msghdr& message) noexcept {
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t here =
          std::min((c->cmsg_len - CMSG_LEN(0)) / sizeof(int), fds.size() - count);
      std::memcpy(fds.data() + count, CMSG_DATA(c), here * sizeof(int));
      count += here;
    }
  }
  ~Descriptors() {
    for (std::size_t i = 0; i < count; ++i) ::close(fds[i]);
  }
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;

  std::array<int, kDescriptors> fds{};
  std::size_t count = 0;
};

}  // namespace

void Connection::pump() {
  if (fd_ < 0 && !ended) connect();
  if (fd_ < 0 || (!ring && !shake_hands())) return;
  read();
}

std::uint64_t Connection::wait_ns() const noexcept {
  const std::uint64_t until = fd_ < 0 ? retry_ns_ : ring ? 0 : since_ns_ + kWelcomeWaitNs;
  if (until == 0) return kForeverNs;
  const std::uint64_t now = now_ns();
  return until > now ? until - now : 0;
}

void Connection::close() noexcept {
  try {
    lose(NoMask::CLOSED, "closed by this process");
  } catch (const std::bad_alloc&) {
    lose(NoMask::CLOSED, {});
  }
  ended = true;
}

bool Connection::elsewhere() const noexcept {
  const pid_t owner = owner_.load(std::memory_order_relaxed);
  return owner != 0 && owner != process_id();
}

void Connection::leave_to_parent() noexcept {
  lose(NoMask::FORKED, "open one here");
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
  int error = 0;
  const int connecting = connect_to(error);
  if (connecting < 0) return refused(error);
  fd_ = connecting;
  owner_.store(process_id(), std::memory_order_relaxed);
  since_ns_ = now;
  try {
    if (std::string foreign = foreign_publisher(fd_, path_, user_); !foreign.empty())
      return lose(NoMask::FOREIGN_PUBLISHER, std::move(foreign));
  } catch (const std::bad_alloc&) {  // who it is was not asked: it must not stay
    return lose(NoMask::NO_MEMORY, {});
  }
  reason = NoMask::AWAITING_WELCOME;
  detail.clear();
}

// The connected socket, or -1 and why.
int Connection::connect_to(int& error) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  error = ENAMETOOLONG;
  if (path_.size() >= sizeof address.sun_path) return -1;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  const int connecting = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  if (connecting >= 0 && ::connect(connecting, name, sizeof address) == 0) return connecting;
  error = errno;
  if (connecting >= 0) ::close(connecting);
  return -1;
}

void Connection::refused(int error) {
  check = Check::none;
  reason = NoMask::NOT_CONNECTED;
  detail = nobody_at(path_.c_str(), error);
  if (error == EACCES || error == EPERM) {
    reason = NoMask::NOT_PERMITTED;
  } else if (error == EAGAIN) {  // its queue is full of connections
    reason = NoMask::SILENT;
    detail = "it accepts nobody";
  } else if (error == ENAMETOOLONG) {
    detail = "a path of " + std::to_string(path_.size()) + " bytes, a socket's has at most " +
             std::to_string(sizeof(sockaddr_un::sun_path) - 1);
  } else if (error == EPROTOTYPE) {  // a stream or datagram socket
    reason = NoMask::MALFORMED;
    check = Check::socket;
  }
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
    if (!would_block() && errno != EINTR) {
      lose(NoMask::CONNECTION_LOST, std::strerror(errno));
    } else if (now_ns() - since_ns_ > kWelcomeWaitNs) {
      lose(NoMask::SILENT, "connected, but no WELCOME within 1 s");
    }
    return false;
  }
  const Descriptors came(message);
  try {
    const Check failed =
        greet(data.data(), static_cast<std::size_t>(size), came.fds.data(), came.count);
    if (failed != Check::none) malformed(failed);
  } catch (const std::bad_alloc&) {
    lose(NoMask::NO_MEMORY, "for the ring");
  }
  return ring != nullptr;
}

Check Connection::greet(const std::uint8_t* data, std::size_t size, const int* descriptors,
                        std::size_t count) {
  if (size == 0) {
    lose(NoMask::CONNECTION_LOST, "closed before WELCOME");
    return Check::none;
  }
  const Message first = decode(data, size);
  if (const auto* wrong = std::get_if<Check>(&first)) return *wrong;
  const auto* header = std::get_if<FrameHeader>(&first);
  if (header && header->type == static_cast<std::uint16_t>(MessageType::BYE)) {
    end(*header);
    return Check::none;
  }
  const auto* welcome = std::get_if<Welcome>(&first);
  if (!welcome) return Check::welcome;
  return count == 1 ? open(*welcome, descriptors[0]) : Check::descriptor;
}

Check Connection::open(const Welcome& welcome, int ring_fd) {
  const Check failed = MappedRing::open(welcome, ring_fd, max_ring_bytes_, ring);
  if (failed != Check::none) return failed;
  inbox_.emplace(welcome, max_ring_bytes_ / kFramesInRing);
  reason = NoMask::NONE;
  detail.clear();
  check = Check::none;
  return Check::none;
}

void Connection::read() {
  const unsigned found = inbox_->read(fd_);
  if (found & Inbox::kFrame) frame = header_of(inbox_->frame().data());
  if (found & (Inbox::kFrame | Inbox::kStatus)) status = header_of(inbox_->status().data());
  if (found & Inbox::kBye) {
    end(header_of(inbox_->message()));
  } else if (found & Inbox::kMalformed) {
    malformed(inbox_->check());
  } else if (found & Inbox::kClosed) {
    const int error = inbox_->error();
    lose(NoMask::CONNECTION_LOST, error ? std::strerror(error) : "the publisher is gone");
  }
}

void Connection::end(const FrameHeader& bye) {
  if (bye.reasons() & NOT_ALLOWED)
    lose(NoMask::NOT_PERMITTED, "refused by the publisher's allow-list");
  else if (bye.reasons() & TOO_MANY_CLIENTS)
    lose(NoMask::NO_PLACE, "it has as many clients as it takes, in all or of this user");
  else
    lose(NoMask::CLOSED, "the publisher said BYE");
}

void Connection::malformed(Check failed) {
  check = failed;
  lose(NoMask::MALFORMED, to_string(failed));
}

void Connection::lose(NoMask why, std::string text) noexcept {
  if (fd_ >= 0) {
    // Wakes who waits at it in another thread; in a fork it would end the parent's stream.
    if (!elsewhere()) ::shutdown(fd_, SHUT_RDWR);
    ::close(fd_);
  }
  fd_ = -1;
  owner_.store(0, std::memory_order_relaxed);
  ring.reset();  // unmapped when no view is left
  inbox_.reset();
  frame.reset();
  status.reset();
  reason = why;
  detail = std::move(text);
  retry_ns_ = now_ns() + kRetryNs;
  ended = ended || !reconnect_;
}

}  // namespace roadmask
