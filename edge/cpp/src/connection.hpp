// One connection to a publisher: handshake, messages drained to the newest, why it ended.
//
// Never blocks: pump() moves it on as far as it goes, `reason` says where it stands. It belongs to
// the process that connected: a fork shares the socket, and would take half of the messages.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "inbox.hpp"
#include "mapped_ring.hpp"
#include "roadmask/protocol.hpp"

namespace roadmask {

class Connection {
 public:
  // `user`: see Options::publisher_user.
  Connection(std::string path, bool reconnect, std::string user, std::uint64_t max_ring_bytes)
      : path_(std::move(path)),
        user_(std::move(user)),
        reconnect_(reconnect),
        max_ring_bytes_(max_ring_bytes) {}
  ~Connection() { lose(NoMask::CLOSED, ""); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void pump();            // connect if it is time to, and read what waits, within bounds
  void close() noexcept;  // for good

  int fd() const noexcept { return fd_; }
  // The stream's messages; null while there is no stream.
  const Inbox* inbox() const noexcept { return inbox_ ? &*inbox_ : nullptr; }
  // How long nothing can happen that fd() does not tell.
  std::uint64_t wait_ns() const noexcept;
  // This process is a fork of the one that connected.
  bool elsewhere() const noexcept;
  void leave_to_parent() noexcept;  // let go without a word to the publisher

  std::shared_ptr<MappedRing> ring;   // null while there is no stream
  std::optional<FrameHeader> frame;   // newest FRAME of this stream
  std::optional<FrameHeader> status;  // newest FRAME or STATUS
  NoMask reason = NoMask::NOT_CONNECTED;
  std::string detail;
  Check check = Check::none;  // what failed, if reason is MALFORMED
  bool ended = false;         // closed, or lost without reconnect

 private:
  void connect();
  int connect_to(int& error) noexcept;
  void refused(int error);
  bool shake_hands();  // true when the ring is mapped
  Check greet(const std::uint8_t* data, std::size_t size, const int* descriptors,
              std::size_t count);
  Check open(const Welcome& welcome, int ring_fd);
  void read();
  void end(const FrameHeader& bye);
  void malformed(Check failed);
  void lose(NoMask why, std::string text) noexcept;

  std::string path_;
  std::string user_;
  bool reconnect_;
  std::uint64_t max_ring_bytes_;
  int fd_ = -1;
  std::atomic<pid_t> owner_{0};  // who connected; 0 while there is no connection
  std::uint64_t since_ns_ = 0;
  std::uint64_t retry_ns_ = 0;
  std::optional<Inbox> inbox_;
};

}  // namespace roadmask
