// The subscriber: the newest mask that may be used now, or the reason why there is none.
//
//   roadmask::Subscriber subscriber;                     // /run/roadmask/masks.v1.sock
//   roadmask::Mask mask;                                 // keeps its memory from frame to frame
//   while (true) {
//     if (subscriber.receive(mask, std::chrono::milliseconds(100)))
//       use(mask.pixels(), mask.width(), mask.height());
//     else
//       brake(subscriber.reason());
//   }
//
// A mask is handed out only if the stream is alive (a message in the last 200 ms), its mode is OK
// or DEGRADED, and the mask is at most `max_age` old *after* it was copied. The limits hold when
// the publisher is stopped, hung, killed or replaced; a lost stream is found again by itself.
// Nothing that a publisher does throws, holds a call up beyond its time-out, or takes more memory
// than `max_ring_bytes` and a quarter of it. Any thread may call; those that wait share the stream.
// A fork is refused (FORKED) while the parent's stream is up.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "roadmask/geometry.hpp"
#include "roadmask/protocol.hpp"
#include "roadmask/version.h"

namespace roadmask {

// Nanoseconds since boot, time asleep included: the clock of every time here.
std::uint64_t now_ns() noexcept;

class MappedRing;

// One frame's mask with everything that was said about it; times are ns CLOCK_BOOTTIME.
class Mask {
 public:
  // (height, width) category ids row by row, `stride` bytes apart; 0 = no claim. A pixel's centre
  // has integer coordinates: column x shows the camera's column scale_x * x + offset_x. In a
  // copy all are at most 7; a view is the publisher's memory: there an id above 7 means no more
  // than 0.
  const std::uint8_t* pixels() const noexcept { return plane(mask_); }
  std::uint32_t width() const noexcept { return header_.mask_width; }
  std::uint32_t height() const noexcept { return header_.mask_height; }
  std::size_t stride() const noexcept { return mask_.stride; }
  // As the mask: 255 x the category's probability against the runner-up alone; 128 = undecided, 255
  // = certain. Null if it is not published.
  const std::uint8_t* confidence() const noexcept { return plane(confidence_); }
  std::size_t confidence_stride() const noexcept { return confidence_.stride; }
  // The network's RGB input; null if it is not published or not asked for.
  const std::uint8_t* preview() const noexcept { return plane(preview_); }
  std::uint32_t preview_width() const noexcept { return header_.preview_width; }
  std::uint32_t preview_height() const noexcept { return header_.preview_height; }
  std::size_t preview_stride() const noexcept { return preview_.stride; }

  const FrameHeader& header() const noexcept { return header_; }
  std::uint64_t sequence() const noexcept { return header_.sequence; }
  std::uint64_t stream_id() const noexcept { return header_.stream_id; }
  // Where age_known() is false, the time of arrival: the mask is older than that.
  std::uint64_t capture_timestamp_ns() const noexcept { return header_.seen_ns(); }
  bool age_known() const noexcept { return header_.age_known(); }
  std::uint64_t publish_timestamp_ns() const noexcept { return header_.publish_ns; }
  std::uint64_t frame_id() const noexcept { return header_.frame_id; }
  std::uint32_t skipped() const noexcept { return header_.skipped; }
  const Stages& stages() const noexcept { return header_.stages; }
  Mode mode() const noexcept { return header_.mode(); }
  std::uint32_t reasons() const noexcept { return header_.reasons(); }
  std::uint32_t flags() const noexcept { return header_.flags; }
  bool live() const noexcept { return !(header_.flags & kNotLive); }
  double share(std::size_t category) const noexcept { return header_.shares[category] / 65535.0; }

  // Time since capture, now; where age_known() is false, the least that it can be.
  std::int64_t age_ns() const noexcept;
  double age_ms() const noexcept { return static_cast<double>(age_ns()) / 1e6; }
  std::uint64_t valid_until_ns() const noexcept { return header_.seen_ns() + limit_ns_; }
  // Still young enough and, for a view, not overwritten until now. Ask *after* the use of a
  // view: what was computed from it counts only if this is true.
  bool valid() const noexcept;

  std::optional<Identity> model() const noexcept;
  std::optional<Identity> calibration() const noexcept;
  std::optional<Identity> camera() const noexcept;
  std::optional<Identity> labels() const noexcept;
  // How the model's golden frames ended on this board, and their digest.
  std::optional<Identity> verification() const noexcept;
  // The camera model by which the mask may be measured, and its digest.
  std::optional<Identity> geometry_identity() const noexcept;
  // The same in numbers, with the ego mask; nothing where the daemon was not told.
  std::optional<Geometry> geometry() const noexcept;

 private:
  friend class Subscriber;
  struct Plane {
    std::vector<std::uint8_t> copy;
    const std::uint8_t* view = nullptr;
    std::size_t stride = 0;
    bool present = false;
  };
  static const std::uint8_t* plane(const Plane& p) noexcept {
    return !p.present ? nullptr : p.view ? p.view : p.copy.data();
  }

  FrameHeader header_{};
  std::shared_ptr<MappedRing> ring_;
  Plane mask_, confidence_, preview_;
  std::uint64_t limit_ns_ = 0;
  bool copied_ = true;
};

struct Options {
  // Hand out replayed, synthetic and file frames too. Never set it where a vehicle moves.
  bool allow_not_live = false;
  // Hand out no mask with one of these reasons: bits of Reason. FROZEN among them counts as STALE.
  std::uint32_t refuse = kRefusedByDefault;
  // Hand out masks whose age nobody knows; their limit then counts from the arrival.
  bool accept_unknown_age = false;
  // The user, a name or a number, that must publish; empty: this process's own, root, or the owner
  // of the socket's folder.
  std::string publisher_user;
  // SHA-256 of the model file, 64 hexadecimal digits, that must have made the mask; empty: any.
  std::string model;
  // Oldest mask to hand out; the publisher's own limit holds as well.
  std::chrono::milliseconds max_age{250};
  // False ends at the first loss: receive returns at once, ended() is true, check() says why.
  bool reconnect = true;
  // Copy the preview picture too, if there is one.
  bool preview = false;
  // Largest ring to map; a frame's planes may have an eighth of it.
  std::uint64_t max_ring_bytes = std::uint64_t{256} << 20;
};

// One frame of the past, see Subscriber::history.
struct PastMask {
  std::uint64_t sequence = 0;
  Mask mask;  // if `present`; keeps its memory from call to call
  bool present = false;
  NoMask missing = NoMask::NONE;  // else why
};

class Subscriber {
 public:
  // The socket need not exist yet.
  explicit Subscriber(std::string socket_path = kDefaultSocket, Options options = {});
  ~Subscriber();
  // Who was moved from is closed.
  Subscriber(Subscriber&&) noexcept;
  Subscriber& operator=(Subscriber&&) noexcept;

  // The newest usable mask into `mask`, without waiting; the same frame may come twice. False,
  // and `mask` is not to be used, if there is none: see reason(). `max_age` is for this call, if
  // it is less than the subscriber's own. After a pause of more than 200 ms between two calls the
  // socket may hold only what is old: then it waits for a sign of life, for 150 ms at most.
  bool latest(Mask& mask, std::optional<std::chrono::milliseconds> max_age = {});
  // As latest, but `mask` points into the ring: valid only as long as mask.valid() says so.
  bool latest_view(Mask& mask, std::optional<std::chrono::milliseconds> max_age = {});
  // Wait for a usable mask that was not handed out before; false after `timeout`. Without a
  // time-out, or with milliseconds::max(), it waits through silence and reconnects for ever.
  bool receive(Mask& mask, std::optional<std::chrono::milliseconds> timeout = {});

  // The last frames of this stream, `most` at most, into `past`, the oldest first and the newest
  // with them: each copied and judged as the newest is, by the same limits; what is torn, too old
  // or refused is named. Who joins late gets those that the ring holds. Never waits; nothing is
  // taken for handed out. False, and `past` is empty, if there is no stream or no frame: reason().
  bool history(std::vector<PastMask>& past, std::size_t most,
               std::optional<std::chrono::milliseconds> max_age = {});

  // Leave the stream, from any thread: a call that waits returns. Masks that were handed out stay
  // usable, views by their valid().
  void close() noexcept;

  NoMask reason() const noexcept;            // why the last call gave no mask; NONE if it gave one
  std::string reason_text() const noexcept;  // a sentence, with what is known about it
  Check check() const noexcept;     // what the publisher did wrong, while reason() is MALFORMED
  bool connected() const noexcept;  // a stream is up; its masks may be refused all the same
  bool ended() const noexcept;      // closed, or lost with reconnect = false
  std::uint64_t dropped() const noexcept;  // frames that this reader was never handed
  std::uint64_t torn() const noexcept;  // copies that the publisher overwrote: none was handed out
  int fileno() const noexcept;          // for poll and epoll; -1 while unconnected
  std::optional<FrameHeader> status() const noexcept;  // the last message, FRAME or STATUS

 private:
  struct State;
  bool newest(Mask& mask, std::optional<std::chrono::milliseconds> max_age, bool copy);
  template <typename T, typename F>
  T locked(T otherwise, F&& ask) const;

  std::unique_ptr<State> state_;
};

}  // namespace roadmask
