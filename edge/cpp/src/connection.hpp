// One connection to a publisher: handshake, messages drained to the newest, why it ended.
//
// Never blocks: pump() moves it on as far as it goes, `reason` says where it stands.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "mapped_ring.hpp"
#include "roadmask/protocol.hpp"

namespace roadmask {

class Connection {
 public:
  // `user`: see Options::publisher_user.
  Connection(std::string path, bool reconnect, std::string user)
      : path_(std::move(path)), user_(std::move(user)), reconnect_(reconnect) {}
  ~Connection() { lose(NoMask::CLOSED, ""); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void pump();            // connect if it is time to, and read every message that is waiting
  void close() noexcept;  // for good

  int fd() const noexcept { return fd_; }
  // How long nothing can happen that fd() does not tell.
  std::uint64_t wait_ns() const noexcept;

  std::shared_ptr<MappedRing> ring;   // null while there is no stream
  std::optional<FrameHeader> frame;   // newest FRAME of this stream
  std::optional<FrameHeader> status;  // newest FRAME or STATUS
  NoMask reason = NoMask::NOT_CONNECTED;
  std::string detail;
  Check check = Check::none;  // what failed, if reason is MALFORMED
  bool ended = false;         // closed, or lost without reconnect

 private:
  void connect();
  bool shake_hands();  // true when the ring is mapped
  Check open(const Welcome& welcome, int ring_fd);
  bool read_one();
  void end(const FrameHeader& bye);
  void malformed(Check failed);
  void lose(NoMask why, std::string text) noexcept;

  std::string path_;
  std::string user_;
  bool reconnect_;
  int fd_ = -1;
  std::uint64_t since_ns_ = 0;
  std::uint64_t retry_ns_ = 0;
  std::uint64_t last_sequence_ = 0;
};

}  // namespace roadmask
