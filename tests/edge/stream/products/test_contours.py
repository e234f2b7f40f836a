"""Outlines of regions: equal to OpenCV's, in mask and camera pixels, in both languages."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from product_parts import FRAMES, GEOMETRY, VEHICLE, Picture, road, seen_by

from roadmask import products
from roadmask.arrays import U8
from roadmask.stream.products import Fault

Outline = tuple[bool, tuple[tuple[int, int], ...]]


def ours(picture: Picture, category: int) -> list[Outline]:
    found = products.contours(picture, category)
    assert found.known
    return [(c.hole, tuple(map(tuple, c.mask_px.tolist()))) for c in found.contours]


def opencvs(ids: U8, category: int) -> list[Outline]:
    """The same by OpenCV: with its hierarchy, a contour that has a parent is a hole's."""
    binary = (ids == category).astype(np.uint8)
    found, tree = cv2.findContours(binary, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if tree is None:
        return []
    return [
        (bool(up[3] >= 0), tuple(map(tuple, points.reshape(-1, 2).tolist())))
        for points, up in zip(found, tree[0], strict=True)
    ]


def test_outlines_are_opencvs_on_1000_masks() -> None:
    dice, holes, total = np.random.default_rng(7), 0, 0
    for _ in range(1000):
        h, w = dice.integers(1, 28, 2)
        share = dice.choice((0.05, 0.3, 0.5, 0.8, 1.0))
        noise = dice.random((h, w))
        if dice.random() < 0.5:  # blobs instead of specks
            noise = cv2.GaussianBlur(noise, (5, 5), 0)
            share = float(np.quantile(noise, share))
        ids = np.where(noise <= share, VEHICLE, 1).astype(np.uint8)
        found = ours(Picture(ids), VEHICLE)
        assert sorted(found) == sorted(opencvs(ids, VEHICLE)), ids.tolist()
        total += len(found)
        holes += sum(hole for hole, _ in found)
    assert total > 5000 and holes > 1000


def test_outlines_of_the_town_are_opencvs() -> None:
    for seed, index in FRAMES[::4]:
        picture = seen_by(seed, index)[0]
        for category in range(1, 8):
            found = ours(picture, category)
            assert sorted(found) == sorted(opencvs(picture.pixels, category))


def test_a_polygon_fills_its_region_again() -> None:
    picture = road()
    picture.pixels[100:140, 60:110] = VEHICLE
    picture.pixels[110:120, 70:90] = 1
    found = products.contours(picture, VEHICLE)
    outer, inner = found.contours
    assert (outer.hole, inner.hole) == (False, True)
    assert outer.mask_px.tolist() == [[60, 100], [60, 139], [109, 139], [109, 100]]
    assert np.array_equal(outer.camera_px, outer.mask_px * picture.scale + picture.offset)
    again = np.zeros_like(picture.pixels)
    cv2.fillPoly(again, [outer.mask_px], VEHICLE)
    cv2.fillPoly(again, [inner.mask_px], 0)
    cv2.polylines(again, [inner.mask_px], True, VEHICLE)
    assert np.array_equal(again == VEHICLE, picture.pixels == VEHICLE)
    assert found.uncertainty_px == (picture.scale[0] / 2, picture.scale[1] / 2)


def test_ones_own_bonnet_has_no_outline() -> None:
    picture = road()
    picture.pixels[300:] = VEHICLE
    assert len(products.contours(picture, VEHICLE, GEOMETRY).contours) == 1
    edge_px = round(300 * 720 / 352) - 2
    corners = ((0, 719), (0, edge_px), (1279, edge_px), (1279, 719))
    own = replace(GEOMETRY, ego=corners)
    for _ in range(2):
        found = products.contours(picture, VEHICLE, own)
        assert found.known and all(c.mask_px[:, 1].min() >= 351 for c in found.contours)
    picture.pixels[40:50, 40:50] = VEHICLE
    assert products.contours(picture, VEHICLE, own).contours[0].mask_px[0].tolist() == [40, 40]


@pytest.mark.parametrize(
    ("changed", "category", "fault"),
    [
        ({}, 0, Fault.LIMITS),
        ({}, 8, Fault.LIMITS),
        ({}, -1, Fault.LIMITS),
        ({"scale": (1.0, 0.0)}, VEHICLE, Fault.TRANSFORM),
        ({"scale": (math.nan, 1.0)}, VEHICLE, Fault.TRANSFORM),
        ({"offset": (math.inf, 0.0)}, VEHICLE, Fault.TRANSFORM),
        ({"pixels": np.ones((1, 2**23 + 1), np.uint8)}, VEHICLE, Fault.MASK_SIZE),
    ],
)
def test_what_cannot_be_told_has_a_reason(
    changed: dict[str, Any], category: int, fault: Fault
) -> None:
    found = products.contours(road()._replace(**changed), category)
    assert found.fault is fault and found.reason == fault.name
    assert not found.known and found.contours == ()


def test_an_ego_mask_of_too_many_corners_is_a_reason() -> None:
    many = replace(GEOMETRY, ego=((0, 0),) * 33)
    assert products.contours(road(), VEHICLE, many).fault is Fault.EGO
