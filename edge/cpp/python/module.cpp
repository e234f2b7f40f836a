#include <nanobind/nanobind.h>

#include "roadmask/version.h"

namespace nb = nanobind;

void bind_ring(nb::module_& m);
void bind_messages(nb::module_& m);
void bind_publisher(nb::module_& m);
void bind_kernels(nb::module_& m);
void bind_products(nb::module_& m);
void bind_turns(nb::module_& m);

NB_MODULE(_native, m) {
  m.doc() = "The ring's memory ordering, the checked messages, and the per-pixel kernels.";
  m.attr("VERSION") = ROADMASK_VERSION;
  bind_ring(m);
  bind_messages(m);
  bind_publisher(m);
  bind_kernels(m);
  bind_products(m);
  bind_turns(m);
}
