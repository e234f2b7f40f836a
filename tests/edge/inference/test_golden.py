from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roadmask.errors import ModelError
from roadmask.inference.engine import Engine
from roadmask.inference.golden import Golden, GoldenFrame, pack, read_golden, unpack, verify
from roadmask.inference.model_file import read_model


def _golden() -> Golden:
    rng = np.random.default_rng(1)
    frame = GoldenFrame(
        "noise",
        rng.integers(0, 256, (20, 30, 3), np.uint8),
        rng.integers(-128, 128, (4, 6, 8)).astype(np.int8),
        rng.integers(0, 8, (16, 24), np.uint8),
        rng.random((16, 24)) < 0.5,
    )
    return Golden((frame, replace(frame, name="again")), 0.125, -3, 1.0)


def test_packed_frames_come_back_bit_for_bit() -> None:
    golden = _golden()
    block = pack(golden)
    assert pack(golden) == block
    found = unpack(block)
    assert (found.scale, found.zero_point, found.tolerance) == (0.125, -3, 1.0)
    for a, b in zip(found.frames, golden.frames, strict=True):
        assert a.name == b.name
        for name in ("image", "logits", "mask", "clear"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_damaged_blocks_are_refused_by_name() -> None:
    block = pack(_golden())
    size = struct.unpack_from("<I", block, 4)[0]
    header = json.loads(block[8 : 8 + size])

    def rewritten(**changes: object) -> bytes:
        text = json.dumps(header | changes).encode()
        return block[:4] + struct.pack("<I", len(text)) + text + block[8 + size :]

    huge = bytearray(block)
    at = block.index(b"\x89PNG")
    huge[at + 16 : at + 20] = struct.pack(">I", 1 << 30)
    damaged = [
        b"",
        b"RMGX" + block[4:],
        block[:60],
        block[:-10],
        block[:4] + b"\xff\xff\xff\xff" + block[8:],
        rewritten(frames=[]),
        rewritten(frames=[{"name": "x", "channels": 8, "bytes": [10, 10]}]),
        rewritten(frames=[header["frames"][0] | {"channels": 7}]),
        rewritten(frames=[header["frames"][0] | {"bytes": [1, 1, 1]}]),
        rewritten(scale="wide"),
        bytes(huge),
    ]
    for data in damaged:
        with pytest.raises(ModelError, match="ROADMASK_GOLDEN block cannot be read"):
            unpack(data)


@pytest.fixture(scope="module")
def shipped(shipped_model: Path) -> tuple[Engine, Golden]:
    golden = read_golden(read_model(shipped_model))
    assert golden is not None
    return Engine(shipped_model), golden


def test_the_shipped_model_answers_as_certified(shipped: tuple[Engine, Golden]) -> None:
    engine, golden = shipped
    verdicts = verify(engine, golden)
    assert [v.name for v in verdicts] == ["town-day", "town-dusk", "town-rain"]
    for verdict in verdicts:
        assert verdict.passed, verdict
        assert verdict.clear_share > 0.7 and verdict.agreement > 0.99
        assert verdict.logit_difference is not None


def test_wrong_arithmetic_is_noticed(shipped: tuple[Engine, Golden]) -> None:
    engine, golden = shipped
    first = golden.frames[0]
    # One logit of 84,480 that is off by more than the tolerance; no mask need change.
    logits = first.logits.copy()
    y, x, c = np.unravel_index(np.argmin(logits), logits.shape)
    logits[y, x, c] += 40
    (verdict,) = verify(engine, replace(golden, frames=(replace(first, logits=logits),)))
    assert not verdict.passed and verdict.wrong_pixels == 0
    # One clear pixel of another category.
    mask = first.mask.copy()
    y, x = np.argwhere(first.clear)[0]
    mask[y, x] = 1 + mask[y, x] % 7
    (verdict,) = verify(engine, replace(golden, frames=(replace(first, mask=mask),)))
    assert not verdict.passed and verdict.wrong_pixels == 1
    # The same where the certified mask itself is in doubt is no fault.
    clear = first.clear.copy()
    clear[y, x] = False
    changed = replace(first, mask=mask, clear=clear)
    (verdict,) = verify(engine, replace(golden, frames=(changed,)))
    assert verdict.passed


def test_frames_of_another_network_are_refused(shipped: tuple[Engine, Golden]) -> None:
    engine, golden = shipped
    frame = golden.frames[0]
    for wrong in (
        replace(frame, logits=frame.logits[:-1]),
        replace(frame, mask=frame.mask[:-1], clear=frame.clear[:-1]),
    ):
        with pytest.raises(ModelError, match="convert it anew"):
            verify(engine, replace(golden, frames=(wrong,)))
