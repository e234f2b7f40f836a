// Two processes that take turns at the same memory: the daemon fills a tensor, the network's
// process runs. One call each hands over and waits; a sleeping interpreter needs ten times as long
// for that.
#include <linux/futex.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "array_view.hpp"

namespace nb = nanobind;
using roadmask::python::ArrayView;
using roadmask::python::refuse;

namespace {

using Clock = std::chrono::steady_clock;
using Count = std::atomic<std::uint32_t>;
static_assert(Count::is_always_lock_free && sizeof(Count) == 4);

// In shared memory. Who asks writes the first, who answers all else, that count last.
struct Board {
  Count asked, answered;
  std::int64_t began_ns, ended_ns;
  std::uint32_t told;
};

// Began, ended, and whether there is more to be heard elsewhere.
using Answer = std::tuple<std::int64_t, std::int64_t, bool>;

long futex(Count& word, int operation, std::uint32_t value, const timespec* limit) {
  // Not private: the other end is another process.
  return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation, value, limit,
                   nullptr, 0);
}

// Whether the word became another than `old` within the time.
bool await_change(Count& word, std::uint32_t old, double limit_s) {
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(limit_s));
  while (word.load(std::memory_order_acquire) == old) {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(end - Clock::now());
    if (left.count() <= 0) return false;
    const timespec limit{static_cast<time_t>(left.count() / 1000000000),
                         static_cast<long>(left.count() % 1000000000)};
    if (futex(word, FUTEX_WAIT, old, &limit) != 0 && errno == EINTR) return false;  // a signal
  }
  return true;
}

class Turns {
 public:
  explicit Turns(nb::handle memory) : view_("memory", memory, "B", {-1}, ArrayView::kWrite) {
    if (view_.shape(0) < static_cast<std::ptrdiff_t>(sizeof(Board)) ||
        reinterpret_cast<std::uintptr_t>(view_.bytes()) % alignof(Board))
      refuse("memory: given " + std::to_string(view_.shape(0)) + " bytes, expected " +
             std::to_string(sizeof(Board)) + " or more, aligned");
    board_ = reinterpret_cast<Board*>(view_.writable_bytes());
    seen_ = board_->asked.load(std::memory_order_acquire);
  }

  // What a process that is gone left open counts as answered.
  void forget() { board_->answered.store(board_->asked.load()); }

  std::optional<Answer> ask(double limit_s) {
    board_->asked.fetch_add(1, std::memory_order_release);
    futex(board_->asked, FUTEX_WAKE, 1, nullptr);
    return wait(limit_s);
  }

  std::optional<Answer> wait(double limit_s) {
    const std::uint32_t turn = board_->asked.load(std::memory_order_relaxed);
    bool came;
    {
      nb::gil_scoped_release release;
      came = await_change(board_->answered, turn - 1, limit_s);
    }
    // Nothing but the answer to this very question is one, whatever a failing process wrote there.
    if (!came || board_->answered.load(std::memory_order_acquire) != turn) return std::nullopt;
    return Answer{board_->began_ns, board_->ended_ns, board_->told != 0};
  }

  bool next(double limit_s) {
    nb::gil_scoped_release release;
    if (!await_change(board_->asked, seen_, limit_s)) return false;
    seen_ = board_->asked.load(std::memory_order_acquire);
    return true;
  }

  void answer(std::int64_t began_ns, std::int64_t ended_ns, bool told) {
    board_->began_ns = began_ns;
    board_->ended_ns = ended_ns;
    board_->told = told;
    board_->answered.store(seen_, std::memory_order_release);
    futex(board_->answered, FUTEX_WAKE, 1, nullptr);
  }

 private:
  ArrayView view_;
  Board* board_;
  std::uint32_t seen_;
};

[[noreturn]] void fail() {
  PyErr_SetFromErrno(PyExc_OSError);
  throw nb::python_error();
}

using Ranges = std::vector<std::pair<std::uintptr_t, std::size_t>>;

// The pages under all `ranges`, rising, become those of a file; what lies between and beside them
// stays as it is. All in one call, for the interpreter's own objects may lie there.
void share_pages(const Ranges& ranges, int fd, std::int64_t offset) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  if (ranges.empty() || offset < 0 || static_cast<std::uintptr_t>(offset) % page)
    refuse("expected ranges, and an offset that is a multiple of the page");
  std::uintptr_t last = 0;
  for (const auto& [address, bytes] : ranges) {
    if (address < last || bytes == 0) refuse("expected ranges that rise");
    last = address + bytes;
  }
  const std::uintptr_t begin = ranges.front().first / page * page;
  const std::uintptr_t end = (last + page - 1) / page * page;
  const int access = PROT_READ | PROT_WRITE;
  void* const shared = ::mmap(nullptr, end - begin, access, MAP_SHARED, fd, offset);
  if (shared == MAP_FAILED) fail();
  const auto keep = [&](std::uintptr_t from, std::uintptr_t to) {
    std::memcpy(static_cast<std::uint8_t*>(shared) + (from - begin),
                reinterpret_cast<const void*>(from), to - from);
  };
  std::uintptr_t at = begin;
  for (const auto& [address, bytes] : ranges) {
    keep(at, address);
    at = address + bytes;
  }
  keep(at, end);
  ::munmap(shared, end - begin);
  if (::mmap(reinterpret_cast<void*>(begin), end - begin, access,
             MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, offset) == MAP_FAILED)
    fail();
}

}  // namespace

void bind_turns(nb::module_& m) {
  nb::class_<Turns>(m, "Turns", "Two processes that take turns, over memory that both map.")
      .def(nb::init<nb::handle>(), nb::arg("memory"))
      .def("forget", &Turns::forget, "What was asked and not answered counts as answered.")
      .def("ask", &Turns::ask, nb::arg("limit_s"),
           "Hand over and wait: when the other began and ended, and whether it has told more "
           "elsewhere; None when nothing came in time, or a signal did.")
      .def("wait", &Turns::wait, nb::arg("limit_s"), "Wait on for what was asked.")
      .def("next", &Turns::next, nb::arg("limit_s"), "Wait to be asked; whether it came to that.")
      .def("answer", &Turns::answer, nb::arg("began_ns"), nb::arg("ended_ns"), nb::arg("told"),
           "Hand back.");
  m.def("share_pages", &share_pages, nb::arg("ranges"), nb::arg("fd"), nb::arg("offset"),
        "Map a file over the pages of memory; what lies between and beside is kept.");
}
