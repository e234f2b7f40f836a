// Free distance for Python: columns come as the bytes of a NumPy record array.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/tuple.h>

#include <array>

#include "python/array_view.hpp"
#include "roadmask/products.hpp"

namespace nb = nanobind;
namespace p = roadmask::products;
using roadmask::python::ArrayView;

namespace {

static_assert(sizeof(p::Column) == 32 && offsetof(p::Column, category) == 24);
static_assert(offsetof(p::Column, end) == 25);

p::Geometry geometry(const std::array<double, 13>& g) {
  return {g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8], g[9], g[10], g[11], g[12]};
}

nb::bytes bytes_of(const p::Column* columns, std::size_t count) {
  return nb::bytes(reinterpret_cast<const char*>(columns), count * sizeof(p::Column));
}

nb::tuple measure(p::FreeDistance& self, nb::handle mask, const std::array<double, 6>& t) {
  const ArrayView view("mask", mask, "B", {-1, -1}, ArrayView::kReadRows);
  // Under the lock: the plan is shared, and this takes microseconds.
  const p::Fault fault =
      self.measure(view.bytes(), static_cast<std::size_t>(view.stride(0)),
                   static_cast<std::uint32_t>(view.shape(1)),
                   static_cast<std::uint32_t>(view.shape(0)), {t[0], t[1], t[2], t[3], t[4], t[5]});
  const p::Column nearest = self.nearest();
  return nb::make_tuple(static_cast<int>(fault),
                        bytes_of(self.columns().data(), self.columns().size()),
                        bytes_of(&nearest, 1));
}

}  // namespace

void bind_products(nb::module_& m) {
  nb::class_<p::FreeDistance>(m, "FreeDistance", "Free distance for one camera geometry.")
      .def(
          "__init__",
          [](p::FreeDistance* self, const std::array<double, 13>& g, double farthest_m,
             double corridor_m) {
            new (self) p::FreeDistance(geometry(g), {farthest_m, corridor_m});
          },
          nb::arg("geometry"), nb::arg("farthest_m"), nb::arg("corridor_m"))
      .def("measure", &measure, nb::arg("mask").none(), nb::arg("transform"),
           "A Fault, the columns' bytes, and the nearest one's.");
}
