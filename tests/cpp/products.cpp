// The products of one mask a line, for comparison with Python's:
//
//   BODY EGO TRANSFORM WIDTH HEIGHT PIXELS WIDTH_M HEADING_DEG
//     -> "FAULT CRC FAULT CRC FAULT CRC FAULT CRC ALLOCATIONS": free distance, corridor,
//        occupancy, contours of what is flat; the CRC-32C of what each found, and how often memory
//        was taken while all four measured it again
//
// BODY and EGO are the stream's bytes ("-": none), TRANSFORM six doubles, all of it hexadecimal.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <new>
#include <sstream>

#include "roadmask/crc32c.hpp"
#include "roadmask/products.hpp"
#include "text.hpp"

namespace {

long allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* found = std::malloc(size ? size : 1)) return found;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

using namespace roadmask;

namespace {

struct Sum {
  std::string bytes;
  void add(double value) {
    if (std::isnan(value)) value = std::nan("");
    value = std::isnan(value) ? std::fabs(value) : value;
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void add(const products::Column& c) {
    add(c.distance_m), add(c.low_m), add(c.high_m), add(c.category), add(static_cast<int>(c.end));
  }
  std::string text(products::Fault fault) const {
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    return std::string(to_string(fault)) + " " + std::to_string(crc32c(data, bytes.size()));
  }
};

std::string measured(std::istringstream& in) {
  std::string body, ego, transform_hex, pixels_hex;
  std::uint32_t width, height;
  double width_m, heading_deg;
  in >> body >> ego >> transform_hex >> width >> height >> pixels_hex >> width_m >> heading_deg;
  const auto pixels = from_hex(pixels_hex);
  products::Transform t;
  std::memcpy(&t, from_hex(transform_hex).data(), sizeof t);
  Identity geometry{}, own{};
  geometry.kind = IdentityKind::GEOMETRY, own.kind = IdentityKind::EGO;
  std::memcpy(geometry.body.data(), from_hex(body).data(), geometry.body.size());
  if (ego != "-") {
    const auto corners = from_hex(ego);
    std::memcpy(own.body.data(), corners.data(), corners.size());
    own.colors = corners.size() / 4;
  }
  const auto told = geometry_of(geometry, &own);
  if (!told) return "no geometry";

  products::Limits limits;
  limits.corridor_m = width_m, limits.most_void = 1;
  products::GridForm form;
  form.cell_m = 1, form.ahead_m = 20, form.aside_m = 6, form.most_void = 1;
  products::FreeDistance free(*told, limits);
  products::Corridor corridor(*told, 60, 1);
  products::Occupancy grid(*told, form);
  products::Contours outlines(*told);
  long taken = 0;
  products::Fault faults[4];
  for (int i = 0; i < 2; ++i) {
    taken = allocations;
    faults[0] = free.measure(pixels.data(), width, width, height, t);
    // Another heading the first time: it costs no memory either.
    faults[1] = corridor.measure(pixels.data(), width, width, height, t, width_m,
                                 i ? heading_deg : -heading_deg, 1, 2);
    faults[2] = grid.measure(pixels.data(), width, width, height, t);
    faults[3] = outlines.measure(pixels.data(), width, width, height, t, 1);
    taken = allocations - taken;
  }
  Sum columns, path, cells, borders;
  for (const products::Column& c : free.columns()) columns.add(c);
  path.add(corridor.path().ahead);
  for (double value : corridor.path().corners_m) path.add(value);
  for (std::uint8_t cell : grid.cells()) cells.add(cell);
  for (double value : grid.low_m()) cells.add(value);
  for (double value : grid.high_m()) cells.add(value);
  for (const products::Contour& c : outlines.contours()) borders.add(c.hole), borders.add(c.count);
  for (const products::Point& point : outlines.points()) borders.add(point.x), borders.add(point.y);
  for (double value : outlines.camera_px()) borders.add(value);
  return columns.text(faults[0]) + " " + path.text(faults[1]) + " " + cells.text(faults[2]) + " " +
         borders.text(faults[3]) + " " + std::to_string(taken);
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::cout << measured(in) << std::endl;
  }
}
