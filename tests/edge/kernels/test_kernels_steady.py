"""The temporal filter against its NumPy reference, bit for bit, and what it promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from roadmask import _native
from roadmask.inference import reference_kernels as kernels_reference

GUARDED = np.array([0, 0, 0, 0, 0, 0, 1, 1], np.uint8)
EIGHT = np.arange(8, dtype=np.uint8)
WEIGHT = 26214  # 0.8


def drive(
    rng: np.random.Generator, h: int, w: int, c: int, frames: int = 6
) -> list[npt.NDArray[np.int8]]:
    """Logits that boil a little, and where a block of another class moves through."""
    still = rng.normal(0, 60, (h // 6 + 2, w // 6 + 2, c)).repeat(6, 0).repeat(6, 1)[:h, :w]
    given = []
    for n in range(frames):
        moving = still + rng.normal(0, 9, (h, w, c))
        moving[h // 3 :, 2 * n : 2 * n + w // 4, rng.integers(0, c)] += 100
        given.append(np.clip(moving, -128, 127).astype(np.int8))
    return given


def check_steady(
    frames: list[npt.NDArray[np.int8]],
    guarded: npt.NDArray[np.uint8],
    first: int,
    weight: int,
    limit: int,
) -> int:
    """Every frame equals the reference; returns how many values the filter changed."""
    h, w, _ = frames[0].shape
    plan = _native.SteadyPlan((w, h), guarded, first, weight, limit)
    state, changed = None, 0
    for logits in frames:
        expected, state = kernels_reference.steady(logits, state, guarded, first, weight, limit)
        out = np.full_like(logits, 77)
        plan.run(logits, out)
        np.testing.assert_array_equal(out, expected)
        changed += int((out != logits).sum())
    return changed


@pytest.mark.parametrize(
    ("h", "w", "c"),
    [(56, 72, 8), (9, 21, 8), (1, 1, 2), (1, 64, 8), (5, 13, 19), (3, 43, 255)],
)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.usefixtures("level")
def test_steady_equals_reference(h: int, w: int, c: int, first: int) -> None:
    rng = np.random.default_rng(h * w + c)
    for guarded in (
        np.resize(GUARDED, c),
        np.zeros(c, np.uint8),
        np.ones(c, np.uint8),
        rng.integers(0, 2, c).astype(np.uint8),
    ):
        for weight, limit in ((WEIGHT, 40), (32767, 255), (32767, 1), (0, 30)):
            changed = check_steady(drive(rng, h, w, c), guarded, first, weight, limit)
            assert changed == 0 if weight == 0 else changed >= 0
    noise = [rng.choice(np.array([-128, 127], np.int8), (h, w, c)) for _ in range(4)]
    check_steady(noise, np.resize(GUARDED, c), first, 32767, 255)


@pytest.mark.usefixtures("level")
def test_a_guarded_pixel_of_the_new_frame_never_vanishes() -> None:
    rng = np.random.default_rng(4)
    size = (170, 131)
    masks = _native.UpsamplePlan((40, 30), 8, size, EIGHT, 1)
    plan = _native.SteadyPlan((40, 30), GUARDED, 1, 32767, 200)
    alone, steadied = np.empty((2, *size[::-1]), np.uint8)
    differ = 0
    for logits in drive(rng, 30, 40, 8, 12):
        # Smooth ones too, whose winners are told apart by a step or two.
        for given in (logits, (logits // 16).astype(np.int8)):
            out = np.empty_like(given)
            plan.run(given, out)
            masks.run(given, alone)
            masks.run(out, steadied)
            claimed = alone >= 6
            np.testing.assert_array_equal(steadied[claimed], alone[claimed])
            differ += int((steadied != alone).sum())
    assert differ > 1000  # it did filter


def test_what_boils_stands_still_and_what_comes_comes_at_once() -> None:
    # flat 2 ahead of construction, ± 8: alone the winner changes with every frame.
    plan = _native.SteadyPlan((1, 1), GUARDED, 1, WEIGHT, 40)
    winners = []
    for n in range(20):
        logits = np.full((1, 1, 8), -40, np.int8)
        logits[0, 0, 1:3] = (35, 25) if n % 2 else (27, 33)
        plan.run(logits, logits)
        winners.append(int(logits[0, 0].argmax()))
    assert winners[0] == 2 and set(winners[8:]) == {1}
    # A construction that is really there: 60 to -10, more than the limit.
    logits = np.full((1, 1, 8), -40, np.int8)
    logits[0, 0, 1:3] = (-10, 60)
    out = np.empty_like(logits)
    plan.run(logits, out)
    np.testing.assert_array_equal(out, logits)
    # And after a reset any frame counts alone.
    plan.reset()
    logits[0, 0, 1:3] = (31, 30)
    plan.run(logits, out)
    np.testing.assert_array_equal(out, logits)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"guarded": GUARDED[:1]}, "guarded: given 1 classes, expected 2 to 255"),
        ({"guarded": EIGHT}, "guarded: given an entry of 2, expected 0 to 1"),
        ({"first": 8}, "first: given 8, expected a class, 0 to 7"),
        ({"weight": 32768}, "weight: given 32768, expected 0 to 32767"),
        ({"limit": 0}, "limit: given 0, expected 1 to 255"),
        ({"limit": 256}, "limit: given 256"),
    ],
)
def test_steady_plan_refuses(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "logits_size": (6, 4),
        "guarded": GUARDED,
        "first": 1,
        "weight": WEIGHT,
        "limit": 40,
    }
    with pytest.raises(ValueError, match=message):
        _native.SteadyPlan(**{**arguments, **changes})


def test_steady_refuses_other_arrays() -> None:
    plan = _native.SteadyPlan((6, 4), GUARDED, 1, WEIGHT, 40)
    logits = np.zeros((4, 6, 8), np.int8)
    with pytest.raises(ValueError, match=r"logits: given \(3, 6, 8\) int8, expected \(4, 6, 8\)"):
        plan.run(logits[:3], logits)
    with pytest.raises(TypeError, match=r"out: .* expected .* int8"):
        plan.run(logits, np.zeros((4, 6, 8), np.uint8))
