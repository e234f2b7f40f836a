// The ring's operations for Python: one call each, because a lock taken in between is no barrier.
#include <nanobind/nanobind.h>
#include <sys/mman.h>

#include <cstdint>

#include "roadmask/crc32c.hpp"
#include "roadmask/ring.hpp"

namespace nb = nanobind;

namespace {

constexpr int kPopulateRead = 22;  // MADV_POPULATE_READ
constexpr std::size_t kPage = 4096;

// Any object with the buffer protocol, C-contiguous, held for the duration of a call.
class Buffer {
 public:
  Buffer(nb::handle object, bool writable) {
    const int flags = PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) throw nb::python_error();
  }
  ~Buffer() { PyBuffer_Release(&view_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::uint8_t* data() const { return static_cast<std::uint8_t*>(view_.buf); }
  std::size_t size() const { return static_cast<std::size_t>(view_.len); }
  std::size_t rows() const { return view_.ndim > 1 ? static_cast<std::size_t>(view_.shape[0]) : 1; }

 private:
  Py_buffer view_{};
};

roadmask::ring::Generation& generation_at(const Buffer& ring, std::size_t offset) {
  if (offset % 8 != 0 || ring.size() < 8 || offset > ring.size() - 8 ||
      reinterpret_cast<std::uintptr_t>(ring.data()) % 8 != 0)
    throw nb::value_error("generation offset lies outside the ring or is not 8-byte aligned");
  return *reinterpret_cast<roadmask::ring::Generation*>(ring.data() + offset);
}

void ring_begin(nb::handle ring, std::size_t generation_offset) {
  Buffer memory(ring, true);
  roadmask::ring::begin(generation_at(memory, generation_offset));
}

void ring_commit(nb::handle ring, std::size_t generation_offset, std::uint64_t generation) {
  Buffer memory(ring, true);
  roadmask::ring::commit(generation_at(memory, generation_offset), generation);
}

bool ring_holds(nb::handle ring, std::size_t generation_offset, std::uint64_t generation) {
  Buffer memory(ring, false);
  return roadmask::ring::still_holds(generation_at(memory, generation_offset), generation);
}

bool ring_read(nb::handle ring, std::size_t generation_offset, std::uint64_t generation,
               std::size_t data_offset, nb::handle out, std::size_t stride) {
  Buffer memory(ring, false);
  Buffer target(out, true);
  const auto& slot = generation_at(memory, generation_offset);
  const std::size_t rows = target.rows();
  const std::size_t row_bytes = rows ? target.size() / rows : 0;
  if (stride == 0) stride = row_bytes;
  if (row_bytes == 0) throw nb::value_error("out is empty");
  if (stride < row_bytes) throw nb::value_error("stride is shorter than a row of out");
  // Divisions, not products: nothing here can overflow.
  if (data_offset > memory.size() || memory.size() - data_offset < row_bytes ||
      (memory.size() - data_offset - row_bytes) / stride < rows - 1)
    throw nb::value_error("the rows lie outside the ring");
  nb::gil_scoped_release release;
  return roadmask::ring::read(slot, generation, memory.data() + data_offset, stride, target.data(),
                              row_bytes, rows);
}

// Map every page that is there already, without the interpreter's lock: a page may be swapped out.
void ring_populate(nb::handle ring) {
  Buffer memory(ring, false);
  nb::gil_scoped_release release;
  if (::madvise(memory.data(), memory.size(), kPopulateRead) == 0) return;
  for (std::size_t at = 0; at < memory.size(); at += kPage)  // before Linux 5.14
    static_cast<void>(*static_cast<volatile std::uint8_t*>(memory.data() + at));
}

std::uint32_t crc32c(nb::handle data, std::uint32_t crc) {
  Buffer bytes(data, false);
  nb::gil_scoped_release release;
  return roadmask::crc32c(bytes.data(), bytes.size(), crc);
}

}  // namespace

void bind_ring(nb::module_& m) {
  m.def("crc32c", &crc32c, nb::arg("data"), nb::arg("crc") = 0,
        "CRC-32C of a contiguous buffer; `crc` continues an earlier call.");
  m.def("ring_populate", &ring_populate, nb::arg("ring"),
        "Map the pages of a mapped ring before they are used, GIL released.");
  m.def("ring_begin", &ring_begin, nb::arg("ring"), nb::arg("generation_offset"),
        "Clear a slot's generation, then a full fence: readers of the slot will notice.");
  m.def("ring_commit", &ring_commit, nb::arg("ring"), nb::arg("generation_offset"),
        nb::arg("generation"), "Release-store the generation: the slot is whole.");
  m.def("ring_holds", &ring_holds, nb::arg("ring"), nb::arg("generation_offset"),
        nb::arg("generation"), "After use of a view: was the slot whole until now?");
  m.def("ring_read", &ring_read, nb::arg("ring"), nb::arg("generation_offset"),
        nb::arg("generation"), nb::arg("data_offset"), nb::arg("out"), nb::arg("stride") = 0,
        "Copy rows of a slot into `out` between the two checks, GIL released; False if torn.");
}
