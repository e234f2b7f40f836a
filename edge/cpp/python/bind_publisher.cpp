// The publisher's end for Python: each frame's message, written and sent in one call each, because
// an interpreter that has just been woken needs ten times as long for the same.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "roadmask/protocol.hpp"
#include "roadmask/subscriber.hpp"

namespace nb = nanobind;

namespace {

using roadmask::FrameHeader;
using Wide = unsigned __int128;  // no sum of 64-bit counts overflows it

// Python's own getsockopt takes 256 groups at most.
std::vector<gid_t> peer_groups(int socket) {
  std::vector<gid_t> groups(64);
  while (true) {
    auto bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int failed = ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes);
    groups.resize(bytes / sizeof(gid_t));  // on ERANGE: as many as there are
    if (failed == 0) return groups;
    if (errno != ERANGE) {
      PyErr_SetFromErrno(PyExc_OSError);
      throw nb::python_error();
    }
  }
}

// The fields of Python's FrameInfo, in its order.
using Info = std::tuple<std::int64_t,                  // capture_ns
                        std::array<std::uint32_t, 2>,  // camera_size
                        std::uint64_t,                 // frame_id
                        std::uint32_t,                 // skipped
                        std::uint64_t,                 // infer_us
                        std::uint32_t, std::uint32_t,  // mode, reasons
                        std::uint32_t,                 // flags
                        std::array<float, 2>,          // scale
                        std::array<float, 2>,          // offset
                        std::array<std::uint64_t, 8>,  // counts
                        std::array<std::uint8_t, 7>,   // identity
                        std::array<std::int64_t, 4>>;  // stages

template <typename T>
std::uint32_t clamped(T value) {
  constexpr T most = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::clamp<T>(value, 0, most));
}

// A FRAME: what was prepared for its slot, and what is said of this one. Returns its mode.
std::uint32_t encode_frame(nb::bytearray out, const nb::bytes& prepared, nb::handle info,
                           std::uint64_t sequence, std::uint64_t skipped_total, std::uint32_t crc,
                           std::uint64_t now_ns, std::uint64_t restarts) {
  const auto message = roadmask::decode(prepared.data(), prepared.size());
  const auto* same = std::get_if<FrameHeader>(&message);
  if (!same || out.size() != roadmask::kMessageBytes)
    throw nb::value_error("expected a FRAME of 256 bytes, and room for one");
  FrameHeader h = *same;
  Info given;
  if (!nb::try_cast(info, given)) throw nb::value_error("a value that its field cannot hold");
  const auto& [capture_ns, camera_size, frame_id, skipped, infer_us, mode, reasons, flags, scale,
               offset, counts, identity, stages] = given;
  const bool plausible = capture_ns > 0 && static_cast<std::uint64_t>(capture_ns) <= now_ns;
  constexpr auto fault = static_cast<std::uint32_t>(roadmask::Mode::FAULT);
  h.mode_bits = (plausible ? mode : fault | roadmask::BAD_TIMESTAMP) | reasons;
  h.flags |= flags & ~(roadmask::CONFIDENCE | roadmask::PREVIEW);  // these two are the slot's
  h.sequence = sequence;
  h.capture_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(capture_ns, 0));
  // Of a frame without an age the time is that of arrival. A client of protocol 1.1, which does not
  // know the flag, takes it for captured in the future, and refuses it.
  if (!h.age_known()) h.arrival_ns = std::exchange(h.capture_ns, roadmask::kUnknownNs);
  h.publish_ns = h.sent_ns = now_ns;
  h.frame_id = frame_id;
  h.skipped_total = skipped_total;
  h.skipped = skipped;
  h.infer_us = clamped(infer_us);
  h.model = identity[0], h.calibration = identity[1], h.camera = identity[2];
  h.labels = identity[3];
  h.verification_entry = static_cast<std::uint8_t>(identity[4] + 1);  // 255, unknown, becomes 0
  h.geometry_entry = static_cast<std::uint8_t>(identity[5] + 1);
  h.ego_entry = static_cast<std::uint8_t>(identity[6] + 1);
  h.crc32c = crc;
  h.engine_restarts = clamped(restarts);
  h.scale_x = scale[0], h.scale_y = scale[1];
  h.offset_x = offset[0], h.offset_y = offset[1];
  h.camera_width = camera_size[0], h.camera_height = camera_size[1];
  Wide total = std::accumulate(counts.begin(), counts.end(), Wide{0});
  if (total == 0) total = 1;
  std::transform(counts.begin(), counts.end(), h.shares.begin(), [total](Wide count) {
    return static_cast<std::uint16_t>((count * 65535 + total / 2) / total);
  });
  h.stages = {clamped(stages[0]), clamped(stages[1]), clamped(stages[2]), clamped(stages[3])};
  const auto bytes = roadmask::encode(h);
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return h.mode_bits;
}

// One message to each socket, without blocking; when the last send began, and the errors if any.
// When the last one ended would be too late: the kernel may run whom it wakes first.
nb::tuple send_each(const nb::handle& message, const std::vector<int>& sockets) {
  Py_buffer view;
  if (PyObject_GetBuffer(message.ptr(), &view, PyBUF_C_CONTIGUOUS) != 0) throw nb::python_error();
  std::vector<int> errors;
  std::uint64_t begin_ns = roadmask::now_ns();
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (i) begin_ns = roadmask::now_ns();
    if (::send(sockets[i], view.buf, static_cast<std::size_t>(view.len),
               MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
      continue;
    errors.resize(sockets.size());
    errors[i] = errno;
  }
  PyBuffer_Release(&view);
  return nb::make_tuple(begin_ns, errors.empty() ? nb::none() : nb::cast(errors));
}

bool readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, 0) != 0;
}

// The next connection whose other end is still there, or -errno. Those that hung up while they
// waited are closed on the way, `most` of them at the most.
int accept_living(int listening, int most) {
  for (int i = 0; i < most; ++i) {
    const int fd = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return -errno;
    pollfd entry{fd, 0, 0};
    if (::poll(&entry, 1, 0) == 0) return fd;
    ::close(fd);
  }
  return -EAGAIN;
}

}  // namespace

void bind_publisher(nb::module_& m) {
  m.def("encode_frame", &encode_frame, nb::arg("out"), nb::arg("prepared"), nb::arg("info"),
        nb::arg("sequence"), nb::arg("skipped_total"), nb::arg("crc32c"), nb::arg("now_ns"),
        nb::arg("restarts") = 0,
        "Write the FRAME of a FrameInfo over `prepared`; its mode and reasons.");
  m.def("send_each", &send_each, nb::arg("message"), nb::arg("sockets"),
        "Send to each socket without blocking; when the last send began, ns CLOCK_BOOTTIME, and "
        "None, or the errno of each (0: sent).");
  m.def("readable", &readable, nb::arg("fd"), "Whether something waits there, without waiting.");
  m.def(
      "accept_living", &accept_living, nb::arg("listening"), nb::arg("most"),
      nb::call_guard<nb::gil_scoped_release>(),
      "The next connection that has not hung up, non-blocking, or -errno; at most so many tried.");
  m.def("peer_groups", &peer_groups, nb::arg("socket"),
        "The supplementary groups of the process at the other end.");
}
