"""Metres of road ahead: the kernel against its reference, and both against the town's geometry."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from product_parts import (
    FRAMES,
    GEOMETRY,
    HUMAN,
    VEHICLE,
    Picture,
    any_geometry,
    any_picture,
    road,
    seen_by,
    town,
)

from roadmask import products
from roadmask.stream.camera_geometry import NUMBERS
from roadmask.stream.products import End, Fault, reference
from roadmask.stream.products.geometry import transform_of


def test_kernel_and_reference_are_equal_to_the_last_bit_on_1000_masks() -> None:
    r, seen, ends = random.Random(1), 0, set()
    while seen < 1000:
        geometry = any_geometry(r)
        picture = any_picture(r, seen)
        corridor = r.choice((None, 2.0, 4.0))
        farthest = r.choice((10.0, 60.0, 1000.0))
        found = products.free_distance(
            picture, geometry, farthest_m=farthest, corridor_m=corridor, most_void=1.0
        )
        if found.fault:
            assert found.fault is Fault.HORIZON
            continue
        width_m = math.inf if corridor is None else corridor
        expected = reference.free_distance(
            picture.pixels, geometry, transform_of(picture), farthest, width_m
        )
        for name in found.columns.dtype.names or ():
            # As bits: NaN equals itself, -0 is not 0.
            got, want = found.columns[name], expected[name]
            if name.endswith("_m"):
                assert np.array_equal(np.isnan(got), np.isnan(want)), (name, seen)
                got, want = np.nan_to_num(got, nan=-1.0), np.nan_to_num(want, nan=-1.0)
            assert got.tobytes() == want.tobytes(), (name, seen, geometry)
        measured = found.columns[found.columns["end"] != End.NOT_SEEN]
        assert (measured["low_m"] <= measured["distance_m"]).all()
        assert (measured["distance_m"] <= measured["high_m"]).all()
        ends |= set(found.columns["end"].tolist())
        seen += 1
    assert ends == {int(end) for end in End}


HOSTILE: list[tuple[dict[str, Any], Fault]] = [
    *(({name: math.nan}, Fault.NOT_FINITE) for name in NUMBERS),
    *(({name: math.inf}, Fault.NOT_FINITE) for name in NUMBERS),
    ({"width": 0}, Fault.SIZE),
    ({"height": -720}, Fault.SIZE),
    ({"fx": 0}, Fault.FOCAL),
    ({"fy": -1000}, Fault.FOCAL),
    ({"fx": 1e-300}, Fault.FOCAL),
    ({"cx": 5000}, Fault.CENTRE),
    ({"cy": -1}, Fault.CENTRE),
    ({"k1": 1e300}, Fault.DISTORTION),
    ({"k4": 0.1}, Fault.DISTORTION),
    ({"p1": 5.0}, Fault.DISTORTION),
    ({"lens": "fisheye", "p2": 0.01}, Fault.DISTORTION),
    ({"lens": "mirror"}, Fault.LENS),
    ({"lens": "fisheye", "pitch_deg": 50}, Fault.HORIZON),
    ({"ego": ((0, 0),) * 33}, Fault.EGO),
    ({"ego": ((0, -1), (5, 5), (9, 9))}, Fault.EGO),
    ({"height_m": 0}, Fault.HEIGHT),
    ({"height_m": -1.4}, Fault.HEIGHT),
    ({"height_m": 1e-300}, Fault.HEIGHT),
    ({"roll_deg": 180}, Fault.UPSIDE_DOWN),
    ({"roll_deg": -90}, Fault.UPSIDE_DOWN),
    ({"pitch_deg": 90}, Fault.ANGLE),
    ({"yaw_deg": 180}, Fault.ANGLE),
    ({"pitch_uncertainty_deg": -1}, Fault.UNCERTAINTY),
    ({"pitch_deg": 30}, Fault.HORIZON),
    ({"pitch_deg": -30}, Fault.HORIZON),
    ({"width": 1920}, Fault.CAMERA_SIZE),
]


@pytest.mark.parametrize(("given", "fault"), HOSTILE)
def test_a_hostile_geometry_gives_a_reason_and_no_number(
    given: dict[str, Any], fault: Fault
) -> None:
    found = products.free_distance(road(), replace(GEOMETRY, **given))
    assert found.fault is fault and found.reason == fault.name
    assert len(found.columns) == 0 and not found.known
    assert all(math.isnan(found.nearest[name]) for name in ("distance_m", "low_m", "high_m"))


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf, 3e38])
def test_a_hostile_transform_or_limit_gives_a_reason(scale: float) -> None:
    crooked = road()._replace(scale=(1.0, scale))
    assert products.free_distance(crooked, GEOMETRY).fault is Fault.TRANSFORM
    assert products.free_distance(road(), GEOMETRY, farthest_m=scale).fault is Fault.LIMITS
    if not scale > 0:
        assert products.free_distance(road(), GEOMETRY, corridor_m=scale).fault is Fault.LIMITS


@pytest.mark.parametrize("category", [0, 2, HUMAN, VEHICLE, 255])
def test_one_pixel_ends_its_column_and_the_corridor(category: int) -> None:
    picture = road()
    picture.pixels[250, 240] = category
    found = products.free_distance(picture, GEOMETRY, corridor_m=2.0)
    clear = products.free_distance(road(), GEOMETRY, corridor_m=2.0)
    assert clear.reason == "RANGE" and clear.nearest["distance_m"] == 60.0
    assert found.reason == "OBSTACLE" and found.nearest["category"] == category
    assert np.flatnonzero(found.columns["end"] == End.OBSTACLE).tolist() == [240]
    assert found.nearest["low_m"] < found.nearest["distance_m"] < found.nearest["high_m"]


def test_beside_the_corridor_nothing_ends_it_and_the_nearest_row_is_no_distance() -> None:
    picture = road()
    picture.pixels[250, 20] = HUMAN
    assert products.free_distance(picture, GEOMETRY, corridor_m=2.0).reason == "RANGE"
    picture.pixels[-1, 240] = VEHICLE
    near = products.free_distance(picture, GEOMETRY, corridor_m=2.0)
    assert near.reason == "NEAR" and near.nearest["distance_m"] == 0.0


@pytest.mark.parametrize("yaw_deg", [-40.0, 40.0])
def test_a_corridor_that_is_half_seen_is_not_free(yaw_deg: float) -> None:
    aside = replace(GEOMETRY, yaw_deg=yaw_deg)
    found = products.free_distance(road(), aside, corridor_m=30.0)
    assert (found.columns["end"] != End.NOT_SEEN).any()
    assert not found.known and found.reason == "NOT_SEEN"
    left = road()._replace(pixels=np.ones((352, 240), np.uint8))  # ends at the vehicle's middle
    assert products.free_distance(left, GEOMETRY, corridor_m=2.0).reason == "NOT_SEEN"
    assert products.free_distance(road(), GEOMETRY, corridor_m=2.0).reason == "RANGE"


def test_a_mask_of_too_many_pixels_is_a_reason() -> None:
    huge = road()._replace(pixels=np.ones((1, 2**23 + 1), np.uint8))
    assert products.free_distance(huge, GEOMETRY).fault is Fault.MASK_SIZE


def test_the_towns_free_distance_is_right_in_95_of_100_columns() -> None:
    """Against the exact depth of the road at the contact line of the full-size truth."""
    right = total = 0
    for seed, index in FRAMES:
        picture, geometry, horizon = seen_by(seed, index)
        full = town(seed).frame(index).category_mask[:, ::2]
        found = products.free_distance(picture, geometry).columns
        for c in np.flatnonzero(found["end"] == End.OBSTACLE):
            contact = np.flatnonzero(full[:, c] != 1)[-1] + 0.5
            truth = geometry.height_m * geometry.fy / (contact - horizon)
            if not 0 < truth <= 30:
                continue
            record, total = found[c], total + 1
            right += abs(record["distance_m"] - truth) <= max(0.3, 0.05 * truth)
    assert total > 1500 and right >= 0.95 * total, (right, total)


def test_a_person_of_18_cm_at_10_m_ends_the_free_space_at_10_m() -> None:
    picture, geometry, horizon = seen_by(1, 40)
    camera = town(1)._camera(40 / 30)
    ahead = Picture(np.ones_like(picture.pixels), *picture[1:])
    foot = horizon + camera.height_m * camera.focal_px / 10.0
    left, right = (camera.middle_px + side * 0.09 * camera.focal_px / 10.0 for side in (-1, 1))
    rows, columns = (np.arange(n) * 2.0 for n in ahead.pixels.shape)
    person = (rows[:, None] <= foot) & (rows[:, None] >= foot - 1.7 * camera.focal_px / 10.0)
    ahead.pixels[person & (columns >= left) & (columns <= right)] = HUMAN
    found = products.free_distance(ahead, geometry, corridor_m=2.0)
    assert found.reason == "OBSTACLE" and found.nearest["category"] == HUMAN
    assert found.nearest["low_m"] <= 10.0 <= found.nearest["high_m"]
    assert abs(found.nearest["distance_m"] - 10.0) <= 0.3


def test_one_degree_of_unknown_pitch_lies_within_the_stated_bounds() -> None:
    """The camera is told up to 1 degree off; every obstacle in the corridor keeps its place."""
    r, covered, total = random.Random(2), 0, 0
    for seed, index in FRAMES:
        picture, exact, _ = seen_by(seed, index)
        truth = products.free_distance(picture, exact).columns
        for off in (-1.0, 1.0, *(r.uniform(-1, 1) for _ in range(6))):
            told = replace(exact, pitch_deg=off, pitch_uncertainty_deg=1.0)
            found = products.free_distance(picture, told, corridor_m=4.0, farthest_m=200.0).columns
            at = (found["end"] == End.OBSTACLE) & (truth["end"] == End.OBSTACLE)
            if not at.any():
                continue
            d, total = truth["distance_m"][at], total + 1
            covered += bool(((found["low_m"][at] <= d) & (d <= found["high_m"][at])).all())
    assert total > 40 and covered >= 0.95 * total, (covered, total)


def test_the_bounds_are_at_most_twice_what_one_degree_of_pitch_moves() -> None:
    """Up to 30 m, in 95 % of the columns; beyond, the upper one may be the horizon."""
    widths = []
    for seed, index in FRAMES:
        picture, exact, _ = seen_by(seed, index)
        low, told, high = (
            products.free_distance(
                picture,
                replace(exact, pitch_deg=off, pitch_uncertainty_deg=1.0),
                farthest_m=1000.0,
            ).columns
            for off in (1.0, 0.0, -1.0)
        )
        at = (low["end"] == End.OBSTACLE) & (told["end"] == End.OBSTACLE)
        at &= (high["end"] == End.OBSTACLE) & (told["distance_m"] <= 30)
        spread = high["distance_m"][at] - low["distance_m"][at]
        widths.extend((told["high_m"][at] - told["low_m"][at]) / spread)
    assert len(widths) > 1500 and np.percentile(widths, 95) <= 2, np.percentile(widths, 95)
