#include "lens.hpp"

#include <cmath>
#include <limits>

namespace roadmask::products {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int kNewtonSteps = 12;
constexpr int kDomainSteps = 1024;
constexpr double kWidestRadius = 16.0;  // of a pinhole: 86 degrees from the axis
constexpr double kWidestAngle = 1.75;   // of a fisheye: 100 degrees
constexpr double kMiss = 1e-9;

}  // namespace

LensModel::LensModel(const Geometry& geometry) noexcept : g_(geometry) {
  straight_ = g_.lens == Lens::PINHOLE && g_.k1 == 0 && g_.k2 == 0 && g_.k3 == 0 && g_.p1 == 0 &&
              g_.p2 == 0;
  domain_ = end_of_domain();
}

// How fast a pixel moves outwards with the true radius or angle.
double LensModel::slope(double at) const noexcept {
  const double u = at * at;
  if (g_.lens == Lens::FISHEYE)
    return 1 + u * (3 * g_.k1 + u * (5 * g_.k2 + u * (7 * g_.k3 + u * (9 * g_.k4))));
  return 1 + u * (3 * g_.k1 + u * (5 * g_.k2 + u * (7 * g_.k3)));
}

double LensModel::end_of_domain() const noexcept {
  const double widest = g_.lens == Lens::FISHEYE ? kWidestAngle : kWidestRadius;
  for (int i = 1; i <= kDomainSteps; ++i) {
    if (slope(widest * i / kDomainSteps) > 0) continue;
    double low = widest * (i - 1) / kDomainSteps, high = widest * i / kDomainSteps;
    for (int k = 0; k < 40; ++k) {
      const double middle = (low + high) / 2;
      (slope(middle) > 0 ? low : high) = middle;
    }
    return low;
  }
  return widest;
}

Ray LensModel::ray(double x_px, double y_px) const noexcept {
  const double xd = (x_px - g_.cx) / g_.fx, yd = (y_px - g_.cy) / g_.fy;
  if (straight_) return {xd, yd, 1.0};
  return g_.lens == Lens::FISHEYE ? fisheye(xd, yd) : pinhole(xd, yd);
}

// Newton in two dimensions.
Ray LensModel::pinhole(double xd, double yd) const noexcept {
  double x = xd, y = yd, u = 0, ex = 0, ey = 0, determinant = 0;
  for (int i = 0; i <= kNewtonSteps; ++i) {
    u = x * x + y * y;
    const double radial = 1 + u * (g_.k1 + u * (g_.k2 + u * g_.k3));
    const double steep = g_.k1 + u * (2 * g_.k2 + u * (3 * g_.k3));
    ex = x * radial + 2 * g_.p1 * x * y + g_.p2 * (u + 2 * x * x) - xd;
    ey = y * radial + g_.p1 * (u + 2 * y * y) + 2 * g_.p2 * x * y - yd;
    const double a = radial + 2 * x * x * steep + 2 * g_.p1 * y + 6 * g_.p2 * x;
    const double b = 2 * x * y * steep + 2 * g_.p1 * x + 2 * g_.p2 * y;
    const double d = radial + 2 * y * y * steep + 6 * g_.p1 * y + 2 * g_.p2 * x;
    determinant = a * d - b * b;
    if (i == kNewtonSteps) break;
    x = x - (d * ex - b * ey) / determinant;
    y = y - (a * ey - b * ex) / determinant;
  }
  const bool good =
      u < domain_ * domain_ && determinant > 0 && std::fabs(ex) <= kMiss && std::fabs(ey) <= kMiss;
  return good ? Ray{x, y, 1.0} : Ray{kNaN, kNaN, kNaN};
}

Ray LensModel::fisheye(double xd, double yd) const noexcept {
  const double seen = std::sqrt(xd * xd + yd * yd);
  double angle = seen, miss = 0;
  for (int i = 0; i <= kNewtonSteps; ++i) {
    const double u = angle * angle;
    miss = angle * (1 + u * (g_.k1 + u * (g_.k2 + u * (g_.k3 + u * g_.k4)))) - seen;
    if (i < kNewtonSteps) angle = angle - miss / slope(angle);
  }
  if (!(angle >= 0 && angle < domain_ && std::fabs(miss) <= kMiss)) return {kNaN, kNaN, kNaN};
  const double factor = seen > 0 ? std::sin(angle) / seen : 1.0;
  return {xd * factor, yd * factor, std::cos(angle)};
}

Spot LensModel::spot(double x, double y, double z) const noexcept {
  double xd = kNaN, yd = kNaN;
  if (g_.lens == Lens::FISHEYE) {
    const double away = std::sqrt(x * x + y * y);
    const double angle = std::atan2(away, z);
    const double u = angle * angle;
    const double seen = angle * (1 + u * (g_.k1 + u * (g_.k2 + u * (g_.k3 + u * g_.k4))));
    const double factor = away > 0 ? seen / away : 0.0;
    if (angle < domain_) xd = x * factor, yd = y * factor;
  } else if (z > 0) {
    const double xn = x / z, yn = y / z;
    const double u = xn * xn + yn * yn;
    const double radial = 1 + u * (g_.k1 + u * (g_.k2 + u * g_.k3));
    if (straight_ || u < domain_ * domain_) {
      xd = xn * radial + 2 * g_.p1 * xn * yn + g_.p2 * (u + 2 * xn * xn);
      yd = yn * radial + g_.p1 * (u + 2 * yn * yn) + 2 * g_.p2 * xn * yn;
    }
  }
  return {g_.cx + g_.fx * xd, g_.cy + g_.fy * yd};
}

}  // namespace roadmask::products
