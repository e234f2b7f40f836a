// Messages for Python: sent to every subscriber in one call, received, decoded and checked in one
// call, because each of these steps costs a waking interpreter more than it costs here.
#include <nanobind/nanobind.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include "array_view.hpp"
#include "roadmask/protocol.hpp"
#include "roadmask/ring.hpp"
#include "src/judge.hpp"

namespace nb = nanobind;

namespace {

using roadmask::Check;
using roadmask::FrameHeader;
using roadmask::MessageType;
using roadmask::Welcome;
using roadmask::python::ArrayView;

// What `Inbox::read` found, as bits: several at once, the last three end the stream.
constexpr unsigned kFrame = 1, kStatus = 2, kMore = 4, kBye = 8, kClosed = 16, kMalformed = 32;

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

using MessageBytes = std::array<std::uint8_t, roadmask::kMessageBytes>;

FrameHeader header(const MessageBytes& bytes) {
  FrameHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

FrameHeader header(const nb::bytes& bytes) {
  const auto message = roadmask::decode(bytes.data(), bytes.size());
  const auto* found = std::get_if<FrameHeader>(&message);
  if (!found) throw nb::value_error("these bytes are no FRAME, STATUS or BYE");
  return *found;
}

unsigned judge(const nb::bytes& frame, const nb::bytes& status, std::uint64_t limit_ns,
               std::uint64_t silence_ns, bool allow_not_live, std::uint64_t now_ns) {
  return static_cast<unsigned>(roadmask::judge(header(frame), header(status),
                                               {limit_ns, silence_ns, allow_not_live}, now_ns));
}

class Inbox {
 public:
  explicit Inbox(const nb::bytes& welcome) {
    const auto message = roadmask::decode(welcome.data(), welcome.size());
    const auto* found = std::get_if<Welcome>(&message);
    if (!found) throw nb::value_error("these bytes are no WELCOME");
    welcome_ = *found;
    last_sequence_ = welcome_.sequence;
  }

  unsigned read(int fd, unsigned most) {
    unsigned found = 0;
    for (unsigned count = 0; most == 0 || count < most; ++count) {
      const ssize_t size =
          ::recv(fd, data_.data(), data_.size(), MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
      if (size < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return found;
        PyErr_SetFromErrno(PyExc_OSError);
        throw nb::python_error();
      }
      size_ = static_cast<std::size_t>(size);
      if (size == 0) return found | kClosed;
      const unsigned one = take();
      found |= one;
      if (one & (kBye | kMalformed)) return found;
    }
    return found | kMore;
  }

  // Rows and columns of the newest frame's mask, whether it has a confidence plane, and rows and
  // columns of its preview.
  std::tuple<unsigned, unsigned, bool, unsigned, unsigned> planes() const {
    const FrameHeader h = header(frame_);
    return {h.mask_height, h.mask_width, h.confidence_offset != 0, h.preview_height,
            h.preview_width};
  }

  // The newest frame's planes between the two checks; false if it was overwritten meanwhile.
  bool copy(nb::handle ring, nb::handle mask, nb::handle confidence, nb::handle preview) const {
    const FrameHeader h = header(frame_);
    const ArrayView memory("ring", ring, "B", {-1}, ArrayView::kRead);
    if (h.sequence == 0 || static_cast<std::uint64_t>(memory.shape(0)) < welcome_.ring_bytes)
      roadmask::python::refuse("no frame yet, or a ring smaller than its WELCOME says");
    const auto& generation = *reinterpret_cast<const roadmask::ring::Generation*>(
        memory.bytes() + welcome_.generation_offset +
        std::uint64_t{h.slot} * welcome_.generation_stride);
    const auto plane = [&](const char* name, nb::handle out, std::uint64_t offset,
                           std::uint64_t stride, const std::vector<std::ptrdiff_t>& shape) {
      if (out.is_none()) return true;
      if (offset == 0) roadmask::python::refuse(std::string(name) + ": the frame has no such plane");
      const ArrayView target(name, out, "B", shape, ArrayView::kWrite);
      const auto rows = static_cast<std::size_t>(shape[0]);
      const auto row_bytes = static_cast<std::size_t>(shape[1] * (shape.size() > 2 ? 3 : 1));
      nb::gil_scoped_release release;
      return roadmask::ring::read(generation, h.sequence, memory.bytes() + offset, stride,
                                  target.writable_bytes(), row_bytes, rows);
    };
    const std::ptrdiff_t height = h.mask_height, width = h.mask_width;
    return plane("mask", mask, h.mask_offset, h.mask_stride, {height, width}) &&
           plane("confidence", confidence, h.confidence_offset, h.confidence_stride,
                 {height, width}) &&
           plane("preview", preview, h.preview_offset, h.preview_stride,
                 {h.preview_height, h.preview_width, 3});
  }

  nb::bytes message() const { return nb::bytes(data_.data(), size_); }
  nb::bytes frame() const { return nb::bytes(frame_.data(), frame_.size()); }
  nb::bytes status() const { return nb::bytes(status_.data(), status_.size()); }
  std::uint64_t last_sequence() const { return last_sequence_; }
  const char* check() const { return roadmask::to_string(check_); }

 private:
  unsigned take() {
    const auto message = roadmask::decode(data_.data(), size_);
    if (const auto* wrong = std::get_if<Check>(&message)) return fail(*wrong);
    const auto* header = std::get_if<FrameHeader>(&message);
    if (!header) return 0;  // of a later minor version
    const bool is_frame = header->type == static_cast<std::uint16_t>(MessageType::FRAME);
    // The caller asks the clock, for the newest message alone: none of the others is used.
    Check failed = roadmask::check_message(*header, welcome_, last_sequence_, ~std::uint64_t{0});
    if (failed == Check::none && is_frame)
      failed = roadmask::check_frame(*header, welcome_, last_sequence_);
    if (failed != Check::none) return fail(failed);
    if (header->type == static_cast<std::uint16_t>(MessageType::BYE)) return kBye;
    last_sequence_ = header->sequence;
    std::copy_n(data_.begin(), status_.size(), status_.begin());
    if (is_frame) frame_ = status_;
    return is_frame ? kFrame : kStatus;
  }

  unsigned fail(Check check) {
    check_ = check;
    return kMalformed;
  }

  Welcome welcome_{};
  std::uint64_t last_sequence_ = 0;
  Check check_ = Check::none;
  std::size_t size_ = 0;
  std::array<std::uint8_t, roadmask::kMaxMessageBytes> data_{};
  MessageBytes frame_{}, status_{};
};

// One message to each socket, without blocking. Nothing is allocated when all of them take it.
nb::object send_each(const nb::handle& message, const std::vector<int>& sockets) {
  Py_buffer view;
  if (PyObject_GetBuffer(message.ptr(), &view, PyBUF_C_CONTIGUOUS) != 0) throw nb::python_error();
  std::vector<int> errors;
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (::send(sockets[i], view.buf, static_cast<std::size_t>(view.len),
               MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
      continue;
    errors.resize(sockets.size());
    errors[i] = errno;
  }
  PyBuffer_Release(&view);
  return errors.empty() ? nb::none() : nb::cast(errors);
}

}  // namespace

void bind_messages(nb::module_& m) {
  m.def("send_each", &send_each, nb::arg("message"), nb::arg("sockets"),
        "Send to each socket without blocking; None, or the errno of each (0: sent).");
  m.def("peer_groups", &peer_groups, nb::arg("socket"),
        "The supplementary groups of the process at the other end.");
  m.def("judge", &judge, nb::arg("frame"), nb::arg("status"), nb::arg("limit_ns"),
        nb::arg("silence_ns"), nb::arg("allow_not_live"), nb::arg("now_ns"),
        "Why the newest frame may not be used now, as a NoMask; 0: it may.");
  nb::class_<Inbox>(m, "Inbox", "The messages of one stream after its WELCOME, checked.")
      .def(nb::init<const nb::bytes&>(), nb::arg("welcome"))
      .def("read", &Inbox::read, nb::arg("fd"), nb::arg("most") = 0,
           "Take in what waits at `fd`, up to `most` messages; what was found, as bits.")
      .def("copy", &Inbox::copy, nb::arg("ring"), nb::arg("mask"),
           nb::arg("confidence").none(), nb::arg("preview").none(),
           "Copy the newest frame's planes; False if it was overwritten meanwhile.")
      .def_prop_ro("planes", &Inbox::planes,
                   "Rows and columns of the mask, confidence or not, rows and columns of the preview.")
      .def_prop_ro("message", &Inbox::message, "The bytes of the last message.")
      .def_prop_ro("frame", &Inbox::frame, "The bytes of the last FRAME.")
      .def_prop_ro("status", &Inbox::status, "The bytes of the last FRAME or STATUS.")
      .def_prop_ro("last_sequence", &Inbox::last_sequence)
      .def_prop_ro("check", &Inbox::check, "The check that failed, by name.");
  m.attr("INBOX_FRAME") = kFrame;
  m.attr("INBOX_STATUS") = kStatus;
  m.attr("INBOX_MORE") = kMore;
  m.attr("INBOX_BYE") = kBye;
  m.attr("INBOX_CLOSED") = kClosed;
  m.attr("INBOX_MALFORMED") = kMalformed;
}
