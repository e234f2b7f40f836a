// The products for Python: columns come as the bytes of a NumPy record array, cells as bytes.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <array>
#include <cstddef>
#include <vector>

#include "python/array_view.hpp"
#include "roadmask/products.hpp"

namespace nb = nanobind;
namespace p = roadmask::products;
using roadmask::python::ArrayView;

namespace {

using Numbers = std::array<double, 18>;  // CameraGeometry.values
using Six = std::array<double, 6>;       // transform_of

static_assert(sizeof(p::Column) == 32 && offsetof(p::Column, category) == 24);
static_assert(offsetof(p::Column, end) == 25);

p::Geometry geometry(const Numbers& n, const std::vector<double>& corners) {
  p::Geometry g{n[0], n[1],  n[2],  n[3],  n[4],  n[5],  n[6],  n[7], n[8],
                n[9], n[10], n[11], n[12], n[13], n[14], n[15], n[16]};
  g.lens = n[17] == 1 ? p::Lens::PINHOLE : n[17] == 2 ? p::Lens::FISHEYE : p::Lens::UNKNOWN;
  g.ego_points = corners.size() / 2;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    if (i >= g.ego.size() || !(corners[i] >= 0 && corners[i] <= 65535)) {
      g.ego_points = g.ego.size();  // more than there may be: a fault
      break;
    }
    g.ego[i] = static_cast<std::uint16_t>(corners[i]);
  }
  return g;
}

p::Transform transform(const Six& t) { return {t[0], t[1], t[2], t[3], t[4], t[5]}; }

// The plan is shared, and a mask takes microseconds: all of this runs under Python's lock.
template <typename Product, typename... More>
p::Fault measured(Product& product, nb::handle mask, const Six& t, More... more) {
  const ArrayView view("mask", mask, "B", {-1, -1}, ArrayView::kReadRows);
  return product.measure(view.bytes(), static_cast<std::size_t>(view.stride(0)),
                         static_cast<std::uint32_t>(view.shape(1)),
                         static_cast<std::uint32_t>(view.shape(0)), transform(t), more...);
}

nb::bytes bytes_of(const void* data, std::size_t size) {
  return nb::bytes(static_cast<const char*>(data), size);
}

nb::tuple columns(p::FreeDistance& self, nb::handle mask, const Six& t) {
  const p::Fault fault = measured(self, mask, t);
  const p::Column nearest = self.nearest();
  return nb::make_tuple(static_cast<int>(fault),
                        bytes_of(self.columns().data(), self.columns().size() * sizeof nearest),
                        bytes_of(&nearest, sizeof nearest));
}

nb::tuple path(p::Corridor& self, nb::handle mask, const Six& t, double width_m,
               double heading_deg) {
  const p::Fault fault =
      measured(self, mask, t, width_m, heading_deg, std::uint64_t{0}, std::uint64_t{0});
  const p::Path& found = self.path();
  return nb::make_tuple(static_cast<int>(fault), bytes_of(&found.ahead, sizeof found.ahead),
                        found.corners_m);
}

nb::tuple cells(p::Occupancy& self, nb::handle mask, const Six& t) {
  const p::Fault fault = measured(self, mask, t);
  const auto size = [&](const std::vector<double>& v) { return v.size() * sizeof(double); };
  return nb::make_tuple(static_cast<int>(fault), bytes_of(self.cells().data(), self.cells().size()),
                        self.rows(), self.columns(),
                        bytes_of(self.low_m().data(), size(self.low_m())),
                        bytes_of(self.high_m().data(), size(self.high_m())));
}

nb::tuple outlines(p::Contours& self, nb::handle mask, const Six& t, std::uint8_t category) {
  const p::Fault fault = measured(self, mask, t, category);
  nb::list which;
  for (const p::Contour& c : self.contours())
    which.append(nb::make_tuple(c.hole, c.first, c.count));
  static_assert(sizeof(p::Point) == 8);
  const auto& points = self.points();
  const auto& camera = self.camera_px();
  return nb::make_tuple(static_cast<int>(fault), which,
                        bytes_of(points.data(), points.size() * sizeof(p::Point)),
                        bytes_of(camera.data(), camera.size() * sizeof(double)));
}

}  // namespace

void bind_products(nb::module_& m) {
  m.def(
      "geometry_fault",
      [](const Numbers& g, const std::vector<double>& ego) {
        return p::to_string(p::check(geometry(g, ego), {}, {g[0], g[1], 1, 1, 0, 0}));
      },
      nb::arg("geometry"), nb::arg("ego"), "The name of the Fault, NONE for a usable geometry.");
  nb::class_<p::FreeDistance>(m, "FreeDistance", "Free distance for one camera geometry.")
      .def(
          "__init__",
          [](p::FreeDistance* self, const Numbers& g, const std::vector<double>& ego,
             const std::array<double, 3>& limits) {
            new (self) p::FreeDistance(geometry(g, ego), {limits[0], limits[1], 0, limits[2]});
          },
          nb::arg("geometry"), nb::arg("ego"), nb::arg("limits"))
      .def("measure", &columns, nb::arg("mask").none(), nb::arg("transform"),
           "A Fault, the columns' bytes, and the nearest one's.");
  nb::class_<p::Corridor>(m, "Corridor", "The corridor ahead for one camera geometry.")
      .def(
          "__init__",
          [](p::Corridor* self, const Numbers& g, const std::vector<double>& ego,
             const std::array<double, 2>& limits) {
            new (self) p::Corridor(geometry(g, ego), limits[0], limits[1]);
          },
          nb::arg("geometry"), nb::arg("ego"), nb::arg("limits"))
      .def("measure", &path, nb::arg("mask").none(), nb::arg("transform"), nb::arg("width_m"),
           nb::arg("heading_deg"), "A Fault, the record's bytes, and the corners.");
  nb::class_<p::Occupancy>(m, "Occupancy", "The grid for one camera geometry.")
      .def(
          "__init__",
          [](p::Occupancy* self, const Numbers& g, const std::vector<double>& ego,
             const std::array<double, 4>& form) {
            new (self) p::Occupancy(geometry(g, ego), {form[0], form[1], form[2], form[3]});
          },
          nb::arg("geometry"), nb::arg("ego"), nb::arg("form"))
      .def("measure", &cells, nb::arg("mask").none(), nb::arg("transform"),
           "A Fault, the cells, rows, columns, and the rows' bounds as bytes.");
  nb::class_<p::Contours>(m, "Contours", "Outlines, without one's own vehicle.")
      .def(
          "__init__",
          [](p::Contours* self, const Numbers& g, const std::vector<double>& ego) {
            new (self) p::Contours(geometry(g, ego));
          },
          nb::arg("geometry"), nb::arg("ego"))
      .def("measure", &outlines, nb::arg("mask").none(), nb::arg("transform"), nb::arg("category"),
           "A Fault, (hole, first, count) of each, points and camera points as bytes.");
}
