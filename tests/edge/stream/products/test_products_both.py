"""Occupancy and corridor against the reference; all products in C++ and Python alike."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cpp_parts import Driven, driven
from product_parts import (
    FRAMES,
    GEOMETRY,
    HUMAN,
    VEHICLE,
    any_geometry,
    any_picture,
    road,
    seen_by,
)

from roadmask import products
from roadmask._native import crc32c
from roadmask.stream.camera_geometry import CameraGeometry
from roadmask.stream.products import End, Fault, reference
from roadmask.stream.products.geometry import transform_of

FORM = {"cell_m": 1.0, "ahead_m": 20.0, "aside_m": 6.0}


def test_the_grid_and_the_reference_are_equal_on_200_masks() -> None:
    r, seen, values = random.Random(3), 0, set()
    while seen < 200:
        geometry, picture = any_geometry(r), any_picture(r, seen)
        found = products.occupancy(picture, geometry, **FORM, most_void=1.0)
        if found.fault:
            assert found.fault is Fault.HORIZON
            continue
        expected = reference.occupancy(picture.pixels, geometry, transform_of(picture), **FORM)
        assert np.array_equal(found.cells, expected), (seen, geometry)
        values |= set(found.cells.ravel().tolist())
        seen += 1
    assert values == set(range(8))


def test_the_corridor_is_the_references_at_any_heading() -> None:
    r, seen, ends = random.Random(4), 0, set()
    while seen < 200:
        geometry, picture = any_geometry(r), any_picture(r, seen)
        heading = r.uniform(-30, 30)
        found = products.corridor(
            picture, geometry, width_m=2.0, heading_deg=heading, most_void=1.0
        )
        if found.fault:
            assert found.fault is Fault.HORIZON
            continue
        columns = reference.free_distance(
            picture.pixels, geometry, transform_of(picture), 60.0, 2.0, heading
        )
        seen += 1
        ends.add(found.reason)
        if found.known:
            judged = ~np.isin(columns["end"], (End.NOT_SEEN, End.CORRIDOR))
            best = columns[judged][np.argmin(columns[judged]["low_m"])]
            assert found.ahead.tobytes()[:26] == best.tobytes()[:26]
    assert {"OBSTACLE", "NEAR", "NOT_SEEN"} <= ends


@pytest.fixture(scope="module")
def cpp() -> Iterator[Driven]:
    with driven("products") as running:
        yield running


def summed(fault: Fault, values: list[float]) -> str:
    plain = [math.nan if math.isnan(value) else value for value in values]
    return f"{fault.name} {crc32c(struct.pack(f'<{len(plain)}d', *plain))}"


def of_columns(columns: Any) -> list[float]:
    names = ("distance_m", "low_m", "high_m", "category", "end")
    return [float(column[name]) for column in np.atleast_1d(columns) for name in names]


def test_both_languages_are_equal_to_the_last_bit_on_1000_masks(cpp: Driven) -> None:
    """A C++ program of its own build, told the geometry by the stream's bytes; no second memory."""
    r, measured = random.Random(5), 0
    for seed in range(1000):
        geometry, picture = any_geometry(r), any_picture(r, seed)
        heading, transform = r.uniform(-30, 30), transform_of(picture)
        h, w = picture.pixels.shape
        said = cpp.ask(
            f"{geometry.body.hex()} {geometry.ego_body.hex() or '-'} "
            f"{struct.pack('<6d', *transform).hex()} {w} {h} {picture.pixels.tobytes().hex()} "
            f"2.0 {heading!r}"
        )
        free = products.free_distance(picture, geometry, corridor_m=2.0, most_void=1.0)
        path = products.corridor(picture, geometry, width_m=2.0, heading_deg=heading, most_void=1.0)
        grid = products.occupancy(picture, geometry, **FORM, most_void=1.0)
        outlines = products.contours(picture, 1, geometry)
        borders = [float(v) for c in outlines.contours for v in (c.hole, len(c.mask_px))]
        borders += [float(v) for c in outlines.contours for v in c.mask_px.ravel()]
        borders += [float(v) for c in outlines.contours for v in c.camera_px.ravel()]
        cells = grid.cells.ravel().tolist(), grid.low_m.tolist(), grid.high_m.tolist()
        assert said == " ".join(
            (
                summed(free.fault, of_columns(free.columns)),
                summed(path.fault, of_columns(path.ahead) + path.corners_m.ravel().tolist()),
                summed(grid.fault, [float(v) for part in cells for v in part]),
                summed(outlines.fault, borders),
                "0",
            )
        ), (seed, geometry)
        measured += not free.fault
    assert measured > 700


def all_of(picture: Any, geometry: CameraGeometry | None) -> list[Any]:
    return [
        products.free_distance(picture, geometry, corridor_m=2.0),
        products.corridor(picture, geometry, width_m=2.0),
        products.occupancy(picture, geometry),
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"height_m": 0.0},
        {"fx": math.nan},
        {"pitch_deg": -30.0},
        {"roll_deg": 180.0},
        {"lens": "fisheye", "k1": math.inf},
    ],
)
def test_a_hostile_geometry_gives_a_reason_everywhere(given: dict[str, Any]) -> None:
    for found in all_of(road(), replace(GEOMETRY, **given)):
        assert found.fault and not found.known and found.reason == found.fault.name


def test_without_a_geometry_the_reason_is_that() -> None:
    for found in all_of(road(), None):
        assert found.fault is Fault.UNKNOWN_GEOMETRY and not found.known


def test_too_much_void_is_a_reason() -> None:
    picture = road()
    picture.pixels[::2, 1::2] = 0
    assert [found.fault for found in all_of(picture, GEOMETRY)] == [Fault.NONE] * 3
    picture.pixels[::2] = 0
    picture.pixels[1::8] = 9  # an id that no daemon writes says no more than void
    assert [found.fault for found in all_of(picture, GEOMETRY)] == [Fault.TOO_MUCH_VOID] * 3


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan])
def test_a_corridor_without_a_width_is_none(width: float) -> None:
    assert products.corridor(road(), GEOMETRY, width_m=width).fault is Fault.LIMITS
    assert products.corridor(road(), GEOMETRY, width_m=2.0, heading_deg=75).fault is Fault.LIMITS
    for form in ({"cell_m": width}, {"ahead_m": width}, {"aside_m": 1e9}, {"cell_m": 0.001}):
        assert products.occupancy(road(), GEOMETRY, **form).fault is Fault.GRID


def test_the_grid_tells_free_occupied_and_hidden() -> None:
    picture = road()
    where = products.free_distance(picture, GEOMETRY)
    picture.pixels[:171] = 5
    picture.pixels[120:251, 240] = HUMAN
    found = products.occupancy(picture, GEOMETRY)
    free = products.free_distance(picture, GEOMETRY)
    at_m = float(free.columns["distance_m"][240])
    assert not where.fault and 5 < at_m < 15
    standing = np.argwhere(found.cells == HUMAN)
    assert len(standing) and all(abs((row + 0.5) * 0.25 - at_m) < 0.5 for row, _ in standing)
    column = int(standing[0][1])
    before, behind = found.cells[: standing[0][0], column], found.cells[standing[-1][0] + 1 :]
    assert before[-8:].tolist() == [1] * 8 and (behind[:20, column] == 0).all()
    assert (found.cells[:, 0][:4] == 0).all()  # beside the vehicle nothing is seen
    row = int(standing[0][0])
    assert found.low_m[row] < (row + 0.5) * 0.25 < found.high_m[row]


def test_a_vehicle_and_a_wall_in_one_cell_are_a_vehicle() -> None:
    picture = road()
    picture.pixels[:251, 240:246] = 2
    picture.pixels[:251, 243] = VEHICLE
    assert VEHICLE in products.occupancy(picture, GEOMETRY, cell_m=0.5).cells


def test_ones_own_bonnet_ends_nothing() -> None:
    picture = road()
    picture.pixels[300:] = VEHICLE
    blind = products.free_distance(picture, GEOMETRY, corridor_m=2.0)
    assert blind.reason == "NEAR"
    edge_px = round(300 * 720 / 352) - 2
    own = replace(GEOMETRY, ego=((0, 719), (0, edge_px), (1279, edge_px), (1279, 719)))
    assert products.free_distance(picture, own, corridor_m=2.0).reason == "RANGE"
    grid = products.occupancy(picture, own).cells
    assert (grid != VEHICLE).all() and (grid == 1).any()
    assert products.corridor(picture, own, width_m=2.0).reason == "RANGE"


def test_what_stands_in_the_town_is_never_free_whatever_the_pitch() -> None:
    """The contact line of the truth masks, up to 30 m; told 1 degree off and said to be so."""
    r, held, total = random.Random(6), 0, 0
    for seed, index in FRAMES:
        picture, exact, _ = seen_by(seed, index)
        true = products.free_distance(picture, exact).columns
        for off in (-1.0, 1.0, r.uniform(-1, 1)):
            told = replace(exact, pitch_deg=off, pitch_uncertainty_deg=1.0)
            cells = products.occupancy(picture, told).cells
            for c in np.flatnonzero((true["end"] == End.OBSTACLE) & (true["distance_m"] < 30)):
                x = float(true["distance_m"][c]) + 0.05
                y = -(c * 2.0 - exact.cx) / exact.fx * x
                if abs(y) < 9:
                    held += cells[int(x / 0.25), int((10.0 - y) / 0.25)] != 1
                    total += 1
    assert total > 5000 and held >= 0.95 * total, (held, total)
