// Messages for Python: received, decoded and checked in one call, because each of these steps costs
// a waking interpreter more than it costs here.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <poll.h>

#include <cerrno>
#include <limits>
#include <optional>
#include <vector>

#include "array_view.hpp"
#include "roadmask/protocol.hpp"
#include "roadmask/ring.hpp"
#include "roadmask/subscriber.hpp"
#include "src/id_copy.hpp"
#include "src/inbox.hpp"
#include "src/judge.hpp"
#include "src/process_id.hpp"
#include "src/publisher_user.hpp"

namespace nb = nanobind;

namespace {

using roadmask::FrameHeader;
using roadmask::NoMask;
using roadmask::Policy;
using roadmask::Welcome;
using roadmask::python::ArrayView;

using Core = roadmask::Inbox;

FrameHeader header(const nb::bytes& bytes) {
  const auto message = roadmask::decode(bytes.data(), bytes.size());
  const auto* found = std::get_if<FrameHeader>(&message);
  if (!found) throw nb::value_error("these bytes are no FRAME, STATUS or BYE");
  return *found;
}

Policy policy(bool allow_not_live, bool accept_unknown_age, std::uint32_t refuse,
              const nb::bytes& model) {
  Policy policy{allow_not_live, accept_unknown_age, refuse, std::nullopt};
  if (model.size() == 0) return policy;
  policy.model.emplace();
  if (model.size() != policy.model->size()) throw nb::value_error("expected a digest of 32 bytes");
  std::memcpy(policy.model->data(), model.data(), model.size());
  return policy;
}

unsigned judge(const nb::bytes& frame, const nb::bytes& status, const nb::bytes& model,
               const Policy& policy, std::uint64_t limit_ns, std::uint64_t silence_ns,
               std::uint64_t now_ns) {
  if (model.size() != 0 && model.size() < roadmask::kIdentityBytes)
    throw nb::value_error("an entry of the identity table has 256 bytes");
  const auto* entry = model.size() ? reinterpret_cast<const std::uint8_t*>(model.data()) : nullptr;
  return static_cast<unsigned>(roadmask::judge(header(frame), header(status), entry,
                                               {policy, limit_ns, silence_ns}, now_ns));
}

// False when a signal came first. Python's handlers have run then, and may have raised.
bool wait_readable(int fd, std::int64_t wait_ns) {
  pollfd entry{fd, POLLIN, 0};
  const timespec timeout{wait_ns / 1'000'000'000, wait_ns % 1'000'000'000};
  int error;
  {
    nb::gil_scoped_release release;
    error = ::ppoll(&entry, 1, &timeout, nullptr) < 0 ? errno : 0;
  }
  if (error == EINTR && PyErr_CheckSignals() != 0) throw nb::python_error();
  return error != EINTR;
}

Welcome welcome_in(const nb::bytes& bytes) {
  const auto message = roadmask::decode(bytes.data(), bytes.size());
  const auto* found = std::get_if<Welcome>(&message);
  if (!found) throw nb::value_error("these bytes are no WELCOME");
  return *found;
}

class Inbox {
 public:
  Inbox(const nb::bytes& welcome, std::uint64_t most_plane_bytes, const nb::object& ring)
      : core_(welcome_in(welcome), most_plane_bytes) {
    if (ring.is_none()) return;
    // Held as long as this object: to ask for it costs as much as a tenth of a small mask's copy.
    ring_.emplace("ring", ring, "B", std::vector<std::ptrdiff_t>{-1}, ArrayView::kRead);
    if (static_cast<std::uint64_t>(ring_->shape(0)) < core_.welcome().ring_bytes)
      roadmask::python::refuse("a ring smaller than its WELCOME says");
  }

  void wait(int fd, std::int64_t wait_ns) const {
    // Closed by another thread: `fd` may be another file by now.
    if (!core_.ended() && wait_ns > 0) wait_readable(fd, wait_ns);
  }

  unsigned read(int fd, unsigned most) { return core_.read(fd, most); }

  // `read` and `take` of the newest frame, unless its key is `handed`: (FRAME, newest message,
  // planes), or what was found where there is nothing to hand out.
  nb::object fetch(int fd, const nb::bytes& handed, bool preview, const Policy& policy,
                   std::uint64_t limit_ns, std::uint64_t silence_ns) {
    const nb::int_ found(core_.read(fd));
    const std::uint8_t* frame = core_.frame().data();
    constexpr std::size_t kKey = 16, kKeyBytes = 16;  // its stream and sequence: protocol.py's KEY
    if (core_.ended() || !ring_ || roadmask::header_of(frame).sequence == 0) return found;
    if (handed.size() == kKeyBytes && std::memcmp(handed.data(), frame + kKey, kKeyBytes) == 0)
      return found;
    const nb::bytes message = this->frame();  // now: other threads may read while planes are copied
    const bool newest = core_.frame() == core_.status();
    const nb::object last = newest ? nb::object(message) : nb::object(status());
    nb::object planes = take(message, preview, policy, limit_ns, silence_ns);
    if (!PyTuple_CheckExact(planes.ptr())) return found;
    return nb::make_tuple(message, last, planes);
  }

  // Private copies of the planes of `frame`, (mask, confidence, preview), or the NoMask that
  // forbids it: judged before the copy and after, which takes time and may have been interrupted.
  nb::object take(const nb::bytes& frame, bool preview, const Policy& policy,
                  std::uint64_t limit_ns, std::uint64_t silence_ns) const {
    const FrameHeader h = header(frame);  // this one: other threads may have read a newer
    const FrameHeader status = roadmask::header_of(core_.status().data());
    const Welcome& welcome = core_.welcome();
    if (!ring_ || roadmask::check_frame(h, welcome, 0) != roadmask::Check::none)
      roadmask::python::refuse("no frame of this stream, or an inbox without its ring");
    const std::uint8_t* memory = ring_->bytes();
    const std::uint8_t* model = roadmask::model_entry(memory, welcome, h);
    const auto verdict = [&] {
      return roadmask::judge(h, status, model, {policy, limit_ns, silence_ns}, roadmask::now_ns());
    };
    const auto& generation = *reinterpret_cast<const roadmask::ring::Generation*>(
        memory + welcome.generation_offset + std::uint64_t{h.slot} * welcome.generation_stride);
    bool whole = true;
    std::uint8_t ids = 0;
    const auto plane = [&](std::uint64_t offset, std::uint64_t stride, const auto&... sides) {
      if (!whole || offset == 0) return nb::object(nb::none());
      nb::object out = empty_(nb::make_tuple(sides...), uint8_);
      const std::vector<std::ptrdiff_t> shape{static_cast<std::ptrdiff_t>(sides)...};
      const ArrayView target("plane", out, "B", shape, ArrayView::kWrite);
      const auto rows = static_cast<std::size_t>(shape[0]);
      const auto row_bytes = static_cast<std::size_t>(shape[1] * (shape.size() > 2 ? 3 : 1));
      nb::gil_scoped_release release;
      const std::uint8_t* source = memory + offset;
      std::uint8_t* to = target.writable_bytes();
      whole =
          offset == h.mask_offset
              ? roadmask::read_ids(generation, h.sequence, source, stride, to, row_bytes, rows, ids)
              : roadmask::ring::read(generation, h.sequence, source, stride, to, row_bytes, rows);
      return out;
    };
    NoMask why = verdict();
    if (why != NoMask::NONE) return nb::int_(static_cast<unsigned>(why));
    const nb::object mask = plane(h.mask_offset, h.mask_stride, h.mask_height, h.mask_width);
    const nb::object confidence =
        plane(h.confidence_offset, h.confidence_stride, h.mask_height, h.mask_width);
    const nb::object picture = plane(preview ? h.preview_offset : 0, h.preview_stride,
                                     h.preview_height, h.preview_width, 3u);
    why = whole ? verdict() : NoMask::OVERWRITTEN;
    if (why == NoMask::NONE && !roadmask::are_categories(ids)) why = NoMask::MALFORMED;
    if (why != NoMask::NONE) return nb::int_(static_cast<unsigned>(why));
    return nb::make_tuple(mask, confidence, picture);
  }

  void close() { core_.close(); }
  nb::bytes message() const { return nb::bytes(core_.message(), core_.message_size()); }
  nb::bytes frame() const { return nb::bytes(core_.frame().data(), core_.frame().size()); }
  nb::list past() const {
    nb::list frames;
    for (std::size_t i = 0; i < core_.past_count(); ++i)
      frames.append(nb::bytes(core_.past(i).data(), core_.past(i).size()));
    return frames;
  }
  nb::bytes status() const { return nb::bytes(core_.status().data(), core_.status().size()); }
  std::uint64_t last_sequence() const { return core_.last_sequence(); }
  const char* check() const { return roadmask::to_string(core_.check()); }
  int error() const { return core_.error(); }

 private:
  Core core_;
  std::optional<ArrayView> ring_;
  nb::object empty_ = nb::module_::import_("numpy").attr("empty");
  nb::object uint8_ = nb::module_::import_("numpy").attr("dtype")("uint8");
};

}  // namespace

void bind_messages(nb::module_& m) {
  nb::class_<Policy>(m, "Policy", "What a subscriber takes, all through its life.")
      .def(
          "__init__",
          [](Policy* self, bool allow_not_live, bool accept_unknown_age, std::uint32_t refuse,
             const nb::bytes& model) {
            new (self) Policy(policy(allow_not_live, accept_unknown_age, refuse, model));
          },
          nb::arg("allow_not_live"), nb::arg("accept_unknown_age"), nb::arg("refuse"),
          nb::arg("model"));
  m.def("judge", &judge, nb::arg("frame"), nb::arg("status"), nb::arg("model"), nb::arg("policy"),
        nb::arg("limit_ns"), nb::arg("silence_ns"), nb::arg("now_ns"),
        "Why the newest frame may not be used now, as a NoMask; 0: it may.");
  m.def(
      "judge_without_frame",
      [](std::uint64_t sent_ns, std::uint64_t silence_ns, std::uint64_t now_ns) {
        return static_cast<unsigned>(roadmask::judge_without_frame(sent_ns, silence_ns, now_ns));
      },
      nb::arg("sent_ns"), nb::arg("silence_ns"), nb::arg("now_ns"),
      "Why there is no mask before the first frame, as a NoMask.");
  m.def(
      "unusable_path",
      [](const nb::bytes& path) { return roadmask::unusable_path({path.c_str(), path.size()}); },
      nb::arg("path"), "Why a path can be no socket of ours, or None.");
  m.def(
      "foreign_publisher",
      [](int fd, const nb::bytes& path, const std::string& user) {
        return roadmask::foreign_publisher(fd, {path.c_str(), path.size()}, user);
      },
      nb::arg("fd"), nb::arg("path"), nb::arg("user"),
      "Why the process at the other end is not trusted; empty: it is.");
  nb::class_<Inbox>(m, "Inbox", "The messages of one stream after its WELCOME, checked.")
      .def(nb::init<const nb::bytes&, std::uint64_t, const nb::object&>(), nb::arg("welcome"),
           nb::arg("most_plane_bytes") = std::numeric_limits<std::uint64_t>::max(),
           nb::arg("ring") = nb::none())
      .def("wait", &Inbox::wait, nb::arg("fd"), nb::arg("wait_ns"),
           "Until something waits at `fd`, or a signal came, or the time is over.")
      .def("read", &Inbox::read, nb::arg("fd"), nb::arg("most") = 0,
           "Take in what waits at `fd`, up to `most` messages; what was found, as bits.")
      .def("fetch", &Inbox::fetch, nb::arg("fd"), nb::arg("handed"), nb::arg("preview"),
           nb::arg("policy"), nb::arg("limit_ns"), nb::arg("silence_ns"),
           "`read`, and `take` of the newest frame: (FRAME, newest message, planes), or the bits.")
      .def("close", &Inbox::close, "Read nothing any more: the descriptor is closed.")
      .def("take", &Inbox::take, nb::arg("frame"), nb::arg("preview"), nb::arg("policy"),
           nb::arg("limit_ns"), nb::arg("silence_ns"),
           "Copies of the frame's planes, or why it may not be used now, as a NoMask.")
      .def_prop_ro("past", &Inbox::past,
                   "The bytes of the FRAMEs whose slots may still hold them, the oldest first.")
      .def_prop_ro("message", &Inbox::message, "The bytes of the last message.")
      .def_prop_ro("frame", &Inbox::frame, "The bytes of the last FRAME.")
      .def_prop_ro("status", &Inbox::status, "The bytes of the last FRAME or STATUS.")
      .def_prop_ro("last_sequence", &Inbox::last_sequence)
      .def_prop_ro("check", &Inbox::check, "The check that failed, by name.")
      .def_prop_ro("error", &Inbox::error, "The errno that closed it; 0: its end was read.");
  m.def("process_id", &roadmask::process_id, "As os.getpid, without a system call.");
  m.attr("INBOX_MOST") = Core::kMostMessages;
  m.attr("INBOX_FRAME") = unsigned{Core::kFrame};
  m.attr("INBOX_STATUS") = unsigned{Core::kStatus};
  m.attr("INBOX_MORE") = unsigned{Core::kMore};
  m.attr("INBOX_BYE") = unsigned{Core::kBye};
  m.attr("INBOX_CLOSED") = unsigned{Core::kClosed};
  m.attr("INBOX_MALFORMED") = unsigned{Core::kMalformed};
}
