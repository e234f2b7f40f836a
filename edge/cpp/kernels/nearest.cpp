#include "kernels/nearest.hpp"

#include <cstring>

namespace roadmask::kernels {
namespace {

// The source pixel under the centre of target pixel i, kept by remainder: no division per pixel.
class Nearest {
 public:
  Nearest(int source, int target, Window window)
      : step_(2 * std::int64_t{window.length} * source),
        whole_(2 * std::int64_t{target} * window.total),
        rest_((2 * std::int64_t{target} * window.begin + window.length) * source) {
    settle();
  }
  std::int64_t at() const { return at_; }
  void next() {
    rest_ += step_;
    settle();
  }

 private:
  void settle() {
    if (rest_ >= whole_) {
      at_ += rest_ / whole_;
      rest_ %= whole_;
    }
  }
  std::int64_t step_, whole_, rest_, at_ = 0;
};

}  // namespace

template <class Id>
Filled nearest_map(const Id* ids, Size source, Plane mask, Size size, const std::uint8_t* table,
                   std::int64_t classes, Window columns, Window rows) {
  Filled filled, row_filled;
  std::int64_t held = -1;
  Nearest row(source.height, size.height, rows);
  for (int y = 0; y < size.height; ++y, row.next()) {
    std::uint8_t* out = mask.row(y);
    if (row.at() == held) {
      std::memcpy(out, mask.row(y - 1), static_cast<std::size_t>(size.width));
    } else {
      held = row.at();
      row_filled = {};
      const Id* from = ids + held * source.width;
      Nearest column(source.width, size.width, columns);
      for (int x = 0; x < size.width; ++x, column.next()) {
        const auto id = static_cast<std::int64_t>(from[column.at()]);
        out[x] = id >= 0 && id < classes ? table[id] : kUnknown;
      }
      row_filled.invalid = clear_unknown(out, nullptr, size.width);
      upsample_scalar.count(out, size.width, row_filled.counts.data());
    }
    filled.invalid += row_filled.invalid;
    for (std::size_t k = 0; k < filled.counts.size(); ++k) filled.counts[k] += row_filled.counts[k];
  }
  return filled;
}

template Filled nearest_map(const std::uint8_t*, Size, Plane, Size, const std::uint8_t*,
                            std::int64_t, Window, Window);
template Filled nearest_map(const std::int32_t*, Size, Plane, Size, const std::uint8_t*,
                            std::int64_t, Window, Window);
template Filled nearest_map(const std::int64_t*, Size, Plane, Size, const std::uint8_t*,
                            std::int64_t, Window, Window);

}  // namespace roadmask::kernels
