// The kernels for Python: buffers are checked here, so that no argument can be undefined behaviour,
// and the lock is released while a kernel works.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/levels.hpp"
#include "kernels/nearest.hpp"
#include "kernels/overlay.hpp"
#include "kernels/preprocess/preprocess.hpp"
#include "kernels/scene/scene.hpp"
#include "kernels/steady/steady.hpp"
#include "kernels/upsample/upsample.hpp"
#include "python/array_view.hpp"

namespace nb = nanobind;
namespace k = roadmask::kernels;
using roadmask::python::ArrayView;
using roadmask::python::refuse;

namespace {

using SizePx = std::pair<int, int>;
constexpr int kLargestSide = 16384;
constexpr std::chrono::microseconds kAside{50};  // until the other thread is in the network

k::Size size_of(const char* what, SizePx size) {
  if (size.first < 1 || size.second < 1 || size.first > kLargestSide || size.second > kLargestSide)
    refuse(std::string(what) + ": given " + std::to_string(size.first) + " x " +
           std::to_string(size.second) + ", expected sides of 1 to 16384");
  return {size.first, size.second};
}

std::vector<std::uint8_t> table_of(const char* what, nb::handle object, std::ptrdiff_t entries,
                                   int largest) {
  const ArrayView view(what, object, "B", {entries}, ArrayView::kRead);
  std::vector<std::uint8_t> table(view.bytes(), view.bytes() + view.shape(0));
  for (std::uint8_t entry : table)
    if (entry > largest)
      refuse(std::string(what) + ": given an entry of " + std::to_string(entry) +
             ", expected 0 to " + std::to_string(largest));
  return table;
}

nb::tuple tuple_of(const k::Filled& filled) {
  nb::list counts;
  for (std::int64_t count : filled.counts) counts.append(count);
  return nb::make_tuple(counts, filled.invalid);
}

k::Scores scores_of(const std::string& name) {
  if (name == "logits") return k::Scores::logits;
  if (name == "softmax") return k::Scores::softmax;
  if (name == "sigmoid") return k::Scores::sigmoid;
  refuse("scores: given '" + name + "', expected logits, softmax or sigmoid");
}

k::Plane plane_of(const ArrayView& view) { return {view.writable_bytes(), view.stride(0)}; }

// x, y, width, height of a part of a picture; none is the whole.
using PartPx = std::optional<std::tuple<int, int, int, int>>;

k::Crop part_of(const char* what, PartPx part, k::Size whole) {
  if (!part) return {0, 0, whole};
  const auto [x, y, width, height] = *part;
  if (x < 0 || y < 0 || width < 1 || height < 1 || x > whole.width - width ||
      y > whole.height - height)
    refuse(std::string(what) + ": given " + std::to_string(width) + " x " + std::to_string(height) +
           " at " + std::to_string(x) + ", " + std::to_string(y) + ", expected a part of " +
           std::to_string(whole.width) + " x " + std::to_string(whole.height));
  return {x, y, {width, height}};
}

// The part of the network's input that a mask shows; the scale does not matter for the whole.
std::pair<k::Window, k::Window> windows_of(std::optional<SizePx> input_size, PartPx part) {
  const k::Size whole = input_size ? size_of("input_size", *input_size) : k::Size{1, 1};
  const k::Crop window = part_of("window", part, whole);
  return {{window.x, window.size.width, whole.width}, {window.y, window.size.height, whole.height}};
}

void make_upsample(k::UpsamplePlan* self, SizePx logits_size, int classes, SizePx size,
                   nb::handle table, int first, nb::handle confidence_table, int threshold,
                   double step, std::optional<SizePx> input_size, PartPx window,
                   const std::string& scores) {
  if (classes < 2 || classes > 255)
    refuse("classes: given " + std::to_string(classes) + ", expected 2 to 255");
  if (first < 0 || first >= classes)
    refuse("first: given " + std::to_string(first) + ", expected a class, 0 to " +
           std::to_string(classes - 1));
  if (threshold < 0 || threshold > 255)
    refuse("threshold: given " + std::to_string(threshold) + ", expected 0 to 255");
  if (!(step > 0) || !std::isfinite(step)) refuse("step: expected a finite number over 0");
  k::UpsampleOptions options{size_of("logits_size", logits_size),
                             size_of("size", size),
                             classes,
                             table_of("table", table, classes, 255),
                             first,
                             {},
                             threshold,
                             static_cast<float>(step),
                             {},
                             {},
                             scores_of(scores)};
  std::tie(options.columns, options.rows) = windows_of(input_size, window);
  if (!confidence_table.is_none())
    options.confidence_table = table_of("confidence_table", confidence_table, 256, 255);
  else if (threshold > 0)
    refuse("threshold: given " + std::to_string(threshold) +
           " without a confidence_table; give one, or 0");
  new (self) k::UpsamplePlan(options);
}

nb::tuple run_upsample(k::UpsamplePlan& plan, nb::handle logits, nb::handle out,
                       nb::handle confidence) {
  const k::UpsampleOptions& o = plan.options();
  const ArrayView in("logits", logits, "bf", {o.logits.height, o.logits.width, o.classes},
                     ArrayView::kRead);
  const ArrayView mask("out", out, "B", {o.mask.height, o.mask.width}, ArrayView::kWriteRows);
  std::optional<ArrayView> confidences;
  if (!confidence.is_none()) {
    if (o.confidence_table.empty())
      refuse("confidence: this plan has no confidence_table; give one when it is made");
    confidences.emplace("confidence", confidence, "B",
                        std::vector<std::ptrdiff_t>{o.mask.height, o.mask.width},
                        ArrayView::kWriteRows);
  }
  if (in.format() == 'b' && confidences && o.scores != k::Scores::logits)
    refuse("logits: given int8 probabilities, expected float32 ones for a confidence");
  const k::Plane plane = confidences ? plane_of(*confidences) : k::Plane{nullptr, 0};
  k::Filled filled;
  {
    nb::gil_scoped_release release;
    filled = in.format() == 'b' ? plan.run(in.as<std::int8_t>(), plane_of(mask), plane)
                                : plan.run(in.as<float>(), plane_of(mask), plane);
  }
  return tuple_of(filled);
}

void make_steady(k::SteadyPlan* self, SizePx logits_size, nb::handle guarded, int first, int weight,
                 int limit) {
  const std::vector<std::uint8_t> guards = table_of("guarded", guarded, -1, 1);
  const auto classes = static_cast<int>(guards.size());
  if (classes < 2 || classes > 255)
    refuse("guarded: given " + std::to_string(classes) + " classes, expected 2 to 255");
  if (first < 0 || first >= classes)
    refuse("first: given " + std::to_string(first) + ", expected a class, 0 to " +
           std::to_string(classes - 1));
  if (weight < 0 || weight >= k::kSteadyWhole)
    refuse("weight: given " + std::to_string(weight) + ", expected 0 to 32767");
  if (limit < 1 || limit > 255)
    refuse("limit: given " + std::to_string(limit) + ", expected 1 to 255");
  const k::SteadyOptions options{
      size_of("logits_size", logits_size), classes, first, guards, weight, limit};
  new (self) k::SteadyPlan(options);
}

void run_steady(k::SteadyPlan& plan, nb::handle logits, nb::handle out) {
  const k::SteadyOptions& o = plan.options();
  const std::vector<std::ptrdiff_t> shape{o.logits.height, o.logits.width, o.classes};
  const ArrayView in("logits", logits, "b", shape, ArrayView::kRead);
  const ArrayView result("out", out, "b", shape, ArrayView::kWrite);
  nb::gil_scoped_release release;
  plan.run(in.as<std::int8_t>(), reinterpret_cast<std::int8_t*>(result.writable_bytes()));
}

nb::tuple nearest_map(nb::handle ids, nb::handle out, nb::handle table,
                      std::optional<SizePx> input_size, PartPx window) {
  const ArrayView in("ids", ids, "Biq", {-1, -1}, ArrayView::kRead);
  const ArrayView mask("out", out, "B", {-1, -1}, ArrayView::kWriteRows);
  const std::vector<std::uint8_t> categories = table_of("table", table, -1, 255);
  const auto side = [](const ArrayView& view, std::size_t axis) {
    return static_cast<int>(view.shape(axis));
  };
  const k::Size from = size_of("ids", {side(in, 1), side(in, 0)});
  const k::Size to = size_of("out", {side(mask, 1), side(mask, 0)});
  const auto classes = static_cast<std::int64_t>(categories.size());
  const std::pair<k::Window, k::Window> windows = windows_of(input_size, window);
  const auto run = [&](const auto* data) {
    nb::gil_scoped_release release;
    return k::nearest_map(data, from, plane_of(mask), to, categories.data(), classes, windows.first,
                          windows.second);
  };
  if (in.format() == 'B') return tuple_of(run(in.bytes()));
  if (in.format() == 'i') return tuple_of(run(in.as<std::int32_t>()));
  return tuple_of(run(in.as<std::int64_t>()));
}

k::Layout layout_of(const std::string& name) {
  if (name == "bgr") return k::Layout::bgr;
  if (name == "grey") return k::Layout::grey;
  if (name == "yuyv") return k::Layout::yuyv;
  if (name == "nv12") return k::Layout::nv12;
  refuse("layout: given '" + name + "', expected bgr, grey, yuyv or nv12");
}

// The plan, and the arrays of the job under way.
struct PreprocessPlan : k::PreprocessPlan {
  using k::PreprocessPlan::PreprocessPlan;
  Job job = 0;
  std::unique_ptr<ArrayView> source_view, out_view;
};

void make_preprocess(PreprocessPlan* self, SizePx source_size, SizePx size, nb::handle table,
                     const std::string& layout_name, PartPx crop_part) {
  const k::Layout layout = layout_of(layout_name);
  const k::Size source = size_of("source_size", source_size);
  const bool odd = source.width % 2 || (layout == k::Layout::nv12 && source.height % 2);
  if ((layout == k::Layout::yuyv || layout == k::Layout::nv12) && odd)
    refuse("source_size: given " + std::to_string(source.width) + " x " +
           std::to_string(source.height) + ", expected even sides for " + layout_name);
  std::vector<std::uint8_t> entries;
  if (!table.is_none()) entries = table_of("table", table, 256, 255);
  const k::Crop crop = part_of("crop", crop_part, source);
  const bool chroma = layout == k::Layout::yuyv || layout == k::Layout::nv12;
  if (chroma && (crop.x % 2 || crop.size.width % 2 ||
                 (layout == k::Layout::nv12 && (crop.y % 2 || crop.size.height % 2))))
    refuse("crop: given odd numbers, expected even ones for " + layout_name);
  new (self) PreprocessPlan(source, crop, size_of("size", size), std::move(entries), layout);
}

k::PreprocessPlan::Job start_preprocess(PreprocessPlan& plan, nb::handle source, nb::handle out) {
  const k::Size s = plan.picture(), t = plan.target();
  std::vector<std::ptrdiff_t> shape{s.height, s.width};
  if (plan.layout() == k::Layout::bgr) shape.push_back(3);
  if (plan.layout() == k::Layout::yuyv) shape.push_back(2);
  if (plan.layout() == k::Layout::nv12) shape[0] = s.height / 2 * 3;
  auto in = std::make_unique<ArrayView>("source", source, "B", shape, ArrayView::kReadRows);
  const std::vector<std::ptrdiff_t> tensor{t.height, t.width, 3};
  auto result = std::make_unique<ArrayView>("out", out, "Bb", tensor, ArrayView::kWriteRows);
  k::PreprocessPlan::Job job;
  {
    nb::gil_scoped_release release;
    job = plan.start({in->bytes(), in->stride(0)}, {result->writable_bytes(), result->stride(0)});
  }
  plan.job = job;
  plan.source_view = std::move(in);
  plan.out_view = std::move(result);
  return job;
}

std::int64_t finish_preprocess(PreprocessPlan& plan, k::PreprocessPlan::Job job, bool step_aside) {
  if (job > plan.job)
    refuse("job: given " + std::to_string(job) + ", expected one that was started");
  std::int64_t done_ns;
  if (plan.is_done(job) && !step_aside) {
    done_ns = plan.finish(job);  // at once: no reason to let others have the interpreter
  } else {
    nb::gil_scoped_release release;
    done_ns = plan.finish(job);
    if (step_aside) std::this_thread::sleep_for(kAside);
  }
  if (job == plan.job) {
    plan.source_view.reset();
    plan.out_view.reset();
  }
  return done_ns;
}

void run_preprocess(PreprocessPlan& plan, nb::handle source, nb::handle out) {
  finish_preprocess(plan, start_preprocess(plan, source, out), false);
}

void flip_top_bits(nb::handle source, nb::handle out) {
  const ArrayView in("source", source, "B", {-1, -1, 3}, ArrayView::kRead);
  const ArrayView result("out", out, "b", {in.shape(0), in.shape(1), 3}, ArrayView::kWrite);
  k::flip_top_bits(in.bytes(), in.shape(0) * in.shape(1) * 3, result.writable_bytes());
}

void overlay(nb::handle bgr, nb::handle mask, nb::handle palette, int alpha, nb::handle out) {
  const ArrayView frame("bgr", bgr, "B", {-1, -1, 3}, ArrayView::kReadRows);
  const std::ptrdiff_t height = frame.shape(0), width = frame.shape(1);
  const ArrayView ids("mask", mask, "B", {height, width}, ArrayView::kReadRows);
  const ArrayView colours("palette_bgr", palette, "B", {256, 3}, ArrayView::kRead);
  const ArrayView result("out", out, "B", {height, width, 3}, ArrayView::kWriteRows);
  if (alpha < 0 || alpha > 255)
    refuse("alpha: given " + std::to_string(alpha) + ", expected 0 to 255");
  const k::Size size = size_of("bgr", {static_cast<int>(width), static_cast<int>(height)});
  nb::gil_scoped_release release;
  k::overlay({frame.bytes(), frame.stride(0)}, {ids.bytes(), ids.stride(0)}, colours.bytes(), alpha,
             plane_of(result), size);
}

std::tuple<double, double, double, double, double, std::uint64_t> scene_stats(nb::handle rgb) {
  const ArrayView in("rgb", rgb, "B", {-1, -1, 3}, ArrayView::kRead);
  if (in.shape(1) > k::kSceneWidth || in.shape(0) > kLargestSide)
    refuse("rgb: given " + std::to_string(in.shape(1)) + " x " + std::to_string(in.shape(0)) +
           ", expected at most 4096 x 16384; give the network's input");
  const k::Size size{static_cast<int>(in.shape(1)), static_cast<int>(in.shape(0))};
  nb::gil_scoped_release release;
  const k::SceneStats s = k::scene_stats(in.bytes(), size);
  return {s.luma_mean,     s.luma_variance,   s.laplacian_energy,
          s.dark_fraction, s.bright_fraction, s.content_hash};
}

void set_kernel_level(const std::string& name) {
  std::string levels;
  for (k::Level level : k::available_levels()) {
    if (name == k::name(level)) {
      k::set_level(level);
      return;
    }
    levels += (levels.empty() ? "" : ", ") + std::string(k::name(level));
  }
  refuse("level: given '" + name + "', expected one of " + levels);
}

}  // namespace

void bind_kernels(nb::module_& m) {
  nb::class_<k::UpsamplePlan>(m, "UpsamplePlan",
                              "Logits → mask for one shape; every table and buffer it needs.")
      .def("__init__", &make_upsample, nb::arg("logits_size"), nb::arg("classes"), nb::arg("size"),
           nb::arg("table").none(), nb::arg("first") = 1,
           nb::arg("confidence_table").none() = nb::none(), nb::arg("threshold") = 0,
           nb::arg("step") = 1.0 / 16, nb::arg("input_size") = nb::none(),
           nb::arg("window") = nb::none(), nb::arg("scores") = "logits")
      .def("run", &run_upsample, nb::arg("logits").none(), nb::arg("out").none(),
           nb::arg("confidence").none() = nb::none(),
           "Write the mask (and the confidence); returns the pixels of each category, and how many "
           "are void because nothing is known there.");
  nb::class_<k::SteadyPlan>(m, "SteadyPlan",
                            "Temporal filter on int8 logits of one shape, with its state.")
      .def("__init__", &make_steady, nb::arg("logits_size"), nb::arg("guarded").none(),
           nb::arg("first"), nb::arg("weight"), nb::arg("limit"))
      .def("run", &run_steady, nb::arg("logits").none(), nb::arg("out").none(),
           "Write the logits, steadied by those before; out may be logits.")
      .def("reset", &k::SteadyPlan::reset, "The next logits count alone.");
  m.def("nearest_map", &nearest_map, nb::arg("ids").none(), nb::arg("out").none(),
        nb::arg("table").none(), nb::arg("input_size") = nb::none(), nb::arg("window") = nb::none(),
        "Class ids → categories at out's size, nearest neighbour; returns as UpsamplePlan.run.");
  nb::class_<PreprocessPlan>(m, "PreprocessPlan",
                             "Camera picture → network input for one pair of sizes.")
      .def("__init__", &make_preprocess, nb::arg("source_size"), nb::arg("size"),
           nb::arg("table").none() = nb::none(), nb::arg("layout") = "bgr",
           nb::arg("crop") = nb::none())
      .def("run", &run_preprocess, nb::arg("source").none(), nb::arg("out").none(),
           "Scale, swap colours and apply the table, straight into `out`.")
      .def("start", &start_preprocess, nb::arg("source").none(), nb::arg("out").none(),
           "Begin a `run` and return its number; the caller has to finish() it.")
      .def("finish", &finish_preprocess, nb::arg("job"), nb::arg("step_aside") = false,
           "Work on a run until it is done, from any thread, even beside the one that started it; "
           "return when it was done, ns CLOCK_BOOTTIME. Stepping aside lets another thread that "
           "finishes have the interpreter first.");
  m.def("flip_top_bits", &flip_top_bits, nb::arg("source").none(), nb::arg("out").none(),
        "uint8 → int8: the top bit of every byte.");
  m.def("overlay", &overlay, nb::arg("bgr").none(), nb::arg("mask").none(),
        nb::arg("palette_bgr").none(), nb::arg("alpha"), nb::arg("out").none(),
        "The mask's colours over the frame; out may be bgr.");
  m.def("scene_stats", &scene_stats, nb::arg("rgb").none(),
        "Luma mean and variance, Laplacian energy, dark and bright fraction, content hash.");
  m.def(
      "kernel_level", [] { return k::name(k::level()); },
      "The instruction set in use: avx512, avx2, neon or scalar.");
  m.def("kernel_levels", [] {
    std::vector<std::string> names;
    for (k::Level level : k::available_levels()) names.emplace_back(k::name(level));
    return names;
  });
  m.def("set_kernel_level", &set_kernel_level, nb::arg("name"), "For tests.");
}
