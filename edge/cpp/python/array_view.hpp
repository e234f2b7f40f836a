// A checked view of a Python buffer: item type, shape, strides and writability are what a kernel
// expects, or the caller reads what was given and what was expected.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace roadmask::python {

namespace nb = nanobind;

[[noreturn]] inline void refuse(const std::string& message) {
  throw nb::value_error(message.c_str());
}

class ArrayView {
 public:
  // `Rows`: the items of a row are packed, rows may be apart.
  enum Access { kRead, kReadRows, kWrite, kWriteRows };

  // `formats`: the accepted items, B uint8, b int8, i int32, q int64, f float32.
  // A side of -1 may have any length.
  ArrayView(const char* name, nb::handle object, const char* formats,
            const std::vector<std::ptrdiff_t>& shape, Access access) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_STRIDES | PyBUF_FORMAT) != 0) {
      PyErr_Clear();
      const auto given = nb::cast<std::string>(object.type().attr("__name__"));
      fail(PyExc_TypeError, name, "a " + given, formats, shape);
    }
    held_ = true;
    format_ = kind();
    if (!format_ || !std::strchr(formats, format_))
      fail(PyExc_TypeError, name, description(), formats, shape);
    bool fits = view_.ndim == static_cast<int>(shape.size());
    for (std::size_t i = 0; fits && i < shape.size(); ++i)
      fits = shape[i] < 0 ? view_.shape[i] > 0 : view_.shape[i] == shape[i];
    if (!fits) fail(PyExc_ValueError, name, description(), formats, shape);
    const bool rows = access == kReadRows || access == kWriteRows;
    std::ptrdiff_t packed = view_.itemsize;
    for (int i = view_.ndim - 1; i >= 0; --i) {
      const bool free = rows && i == 0;
      // A side of one item has no meaningful stride.
      if (view_.shape[i] > 1 && (free ? view_.strides[i] < packed : view_.strides[i] != packed))
        fail(PyExc_ValueError, name, description() + " that is not contiguous", formats, shape);
      packed *= view_.shape[i];
    }
    if ((access == kWrite || access == kWriteRows) && view_.readonly)
      fail(PyExc_ValueError, name, description() + " that is read-only", formats, shape);
    if (reinterpret_cast<std::uintptr_t>(view_.buf) % static_cast<std::size_t>(view_.itemsize))
      fail(PyExc_ValueError, name, description() + " that is not aligned", formats, shape);
  }
  ~ArrayView() { release(); }
  ArrayView(const ArrayView&) = delete;
  ArrayView& operator=(const ArrayView&) = delete;

  char format() const { return format_; }
  std::ptrdiff_t shape(std::size_t axis) const { return view_.shape[axis]; }
  std::ptrdiff_t stride(std::size_t axis) const { return view_.strides[axis]; }
  template <class T>
  const T* as() const {
    return static_cast<const T*>(view_.buf);
  }
  const std::uint8_t* bytes() const { return as<std::uint8_t>(); }
  std::uint8_t* writable_bytes() const { return static_cast<std::uint8_t*>(view_.buf); }

 private:
  // The item type by size and sign: NumPy's int64 is `l` here and `q` there.
  char kind() const {
    const char* f = view_.format ? view_.format : "B";
    if (*f == '<' || *f == '=' || *f == '@') ++f;
    if (f[0] == 0 || f[1] != 0) return 0;
    if (*f == 'B' || *f == 'b') return *f;
    if (*f == 'f' && view_.itemsize == 4) return 'f';
    if (std::strchr("ilq", *f)) return view_.itemsize == 8 ? 'q' : view_.itemsize == 4 ? 'i' : 0;
    return 0;
  }

  static std::string type_names(const char* formats) {
    std::string names;
    for (const char* f = formats; *f; ++f) {
      if (f != formats) names += f[1] ? ", " : " or ";
      names += *f == 'B'   ? "uint8"
               : *f == 'b' ? "int8"
               : *f == 'i' ? "int32"
               : *f == 'q' ? "int64"
                           : "float32";
    }
    return names;
  }

  static std::string sides(std::size_t n, const std::ptrdiff_t* shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < n; ++i)
      text += (i ? ", " : "") + (shape[i] < 0 ? std::string("any") : std::to_string(shape[i]));
    return text + (n == 1 ? ",)" : ")");
  }

  std::string description() const {
    const char one[2] = {format_, 0};
    const std::string type =
        format_ ? type_names(one)
                : std::string("items of format '") + (view_.format ? view_.format : "B") + "'";
    return sides(static_cast<std::size_t>(view_.ndim), view_.shape) + " " + type;
  }

  void release() {
    if (held_) PyBuffer_Release(&view_);
    held_ = false;
  }

  [[noreturn]] void fail(PyObject* error, const char* name, const std::string& given,
                         const char* formats, const std::vector<std::ptrdiff_t>& shape) {
    const std::string message = std::string(name) + ": given " + given + ", expected " +
                                sides(shape.size(), shape.data()) + " " + type_names(formats);
    release();  // the destructor of an object whose constructor throws never runs
    PyErr_SetString(error, message.c_str());
    throw nb::python_error();
  }

  Py_buffer view_{};
  bool held_ = false;
  char format_ = 0;
};

}  // namespace roadmask::python
