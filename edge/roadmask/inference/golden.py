"""Golden frames: what a model was certified to answer, inside its file, to be asked on any board.

Kernels for another processor round differently, and a broken one answers nonsense at full speed.
The conversion stores a few small frames losslessly with the logits that LiteRT's reference kernels
(plain integer arithmetic, alike on every machine) give for them, and the mask that follows. A board
passes when its own logits are within the tolerance and its mask is the certified one wherever the
certified logits leave no doubt: where the winner leads by more than twice the tolerance, logits
within it cannot make another class win.

Block ``ROADMASK_GOLDEN``: magic, length of the header, header (JSON), PNG pictures.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from roadmask.arrays import U8
from roadmask.errors import ModelError
from roadmask.imaging.encoding import encode_picture
from roadmask.inference.engine import Engine
from roadmask.inference.model_file import GOLDEN_NAME, read_block
from roadmask.inference.predictor import Predictor
from roadmask.labels.label_set import CATEGORY_COUNT

# Steps of the int8 logits that any network may be off; one that rounding disturbs more has its own
# tolerance, see convert.judge.golden_frames. LiteRT's optimised kernels were seen to differ from
# its reference kernels by up to 5 over the 50 operators of the shipped network (x86-64, AVX-512).
TOLERANCE_STEPS = 8
_MAGIC = b"RMGF"
_UNCLEAR = 0x80  # bit of a mask's pixel whose winner is in doubt
_MAX_FRAMES, _MAX_SIDE_PX = 64, 8192


@dataclass(frozen=True)
class GoldenFrame:
    """One question and its answer.

    Attributes:
        name: of the frame.
        image: ``(H, W, 3) uint8`` BGR, as from a camera.
        logits: ``(h, w, C) int8``, ``real = scale * (q - zero_point)``.
        mask: ``(H', W') uint8`` categories at the network's input size.
        clear: ``(H', W') bool``: where the mask leaves no doubt.
    """

    name: str
    image: U8
    logits: npt.NDArray[np.int8]
    mask: U8
    clear: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Golden:
    """The frames of one model.

    Attributes:
        frames: the questions.
        scale, zero_point: of their logits.
        tolerance: how far a board's logits may be off, in the logits' own unit.
    """

    frames: tuple[GoldenFrame, ...]
    scale: float
    zero_point: int
    tolerance: float


@dataclass(frozen=True)
class Verdict:
    """What one frame gave on this machine.

    Attributes:
        name: of the frame.
        logit_difference: the largest, in the logits' unit; None for a network that gives ids.
        tolerance: what it may be.
        wrong_pixels: that differ from the certified mask where it leaves no doubt.
        clear_share: share of the pixels where it does not.
        agreement: share of all pixels that are as certified.
    """

    name: str
    logit_difference: float | None
    tolerance: float
    wrong_pixels: int
    clear_share: float
    agreement: float

    @property
    def passed(self) -> bool:
        """Whether the board answered as certified."""
        off = self.logit_difference
        return self.wrong_pixels == 0 and (off is None or off <= self.tolerance)

    def to_json(self) -> dict[str, Any]:
        """The fields and the verdict."""
        return {**asdict(self), "passed": self.passed}


def read_golden(model: bytes) -> Golden | None:
    """The golden frames of a model file's bytes, None where it has none.

    Raises:
        ModelError: the block is damaged.
    """
    block = read_block(model, GOLDEN_NAME)
    return None if block is None else unpack(block)


def verify(engine: Engine, golden: Golden) -> list[Verdict]:
    """Ask the engine, through the daemon's own preprocessing and postprocessing.

    Raises:
        ModelError: the frames are of another network.
    """
    predictor = Predictor(engine)
    verdicts = []
    for frame in golden.frames:
        mask = predictor.published(frame.image)
        if mask.shape != frame.mask.shape:
            raise ModelError(
                f"model {engine.path}: its golden frames give masks of {frame.mask.shape}, the "
                f"network {mask.shape}: convert it anew"
            )
        same = mask == frame.mask
        verdicts.append(
            Verdict(
                frame.name,
                _logit_difference(engine, frame, golden),
                round(golden.tolerance, 5),
                int(np.count_nonzero(~same & frame.clear)),
                round(float(frame.clear.mean()), 4),
                round(float(same.mean()), 5),
            )
        )
    return verdicts


def _logit_difference(engine: Engine, frame: GoldenFrame, golden: Golden) -> float | None:
    spec = engine.output_spec
    if len(spec.shape) != 4:
        return None
    if spec.shape[1:] != frame.logits.shape:
        raise ModelError(
            f"model {engine.path}: its golden logits are {frame.logits.shape}, the network's "
            f"{spec.shape[1:]}: convert it anew"
        )
    certified = golden.scale * (frame.logits.astype(np.float32) - golden.zero_point)
    given = np.asarray(engine.output, np.float32)
    if spec.scale:
        given = spec.scale * (given - spec.zero_point)
    # A NaN is no small difference.
    return round(float(np.nan_to_num(np.abs(given - certified), nan=np.inf).max()), 5)


def pack(golden: Golden) -> bytes:
    """The block's bytes; the same frames give the same bytes."""
    pictures: list[bytes] = []
    rows = []
    for frame in golden.frames:
        h, w, channels = frame.logits.shape
        planes = frame.logits.transpose(2, 0, 1).reshape(channels * h, w).view(np.uint8)
        marked = frame.mask | np.where(frame.clear, 0, _UNCLEAR).astype(np.uint8)
        own = [_png(picture) for picture in (frame.image, np.ascontiguousarray(planes), marked)]
        rows.append({"name": frame.name, "channels": channels, "bytes": [len(p) for p in own]})
        pictures += own
    header = {
        "scale": golden.scale,
        "zero_point": golden.zero_point,
        "tolerance": golden.tolerance,
        "frames": rows,
    }
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    return b"".join([_MAGIC, struct.pack("<I", len(text)), text, *pictures])


def unpack(block: bytes) -> Golden:
    """What ``pack`` wrote.

    Raises:
        ModelError: damaged, or of another version.
    """
    try:
        if block[:4] != _MAGIC:
            raise ValueError(f"magic {block[:4]!r}")
        at = 8 + int(struct.unpack_from("<I", block, 4)[0])
        header = json.loads(block[8:at])
        rows = header["frames"]
        if not 1 <= len(rows) <= _MAX_FRAMES:
            raise ValueError(f"{len(rows)} frames")
        frames = []
        for row in rows:
            sizes = [int(size) for size in row["bytes"]]
            frames.append(_frame(str(row["name"]), int(row["channels"]), _cut(block, at, sizes)))
            at += sum(sizes)
        return Golden(
            tuple(frames),
            float(header["scale"]),
            int(header["zero_point"]),
            float(header["tolerance"]),
        )
    except (ValueError, KeyError, TypeError, IndexError, struct.error, cv2.error) as error:
        raise ModelError(
            f"the model's {GOLDEN_NAME} block cannot be read: {error}; convert the model anew"
        ) from error


def _cut(block: bytes, at: int, sizes: Sequence[int]) -> list[bytes]:
    if len(sizes) != 3 or min(sizes) < 1 or at + sum(sizes) > len(block):
        raise ValueError(f"pictures of {list(sizes)} bytes at {at} in {len(block)}")
    parts = []
    for size in sizes:
        parts.append(block[at : at + size])
        at += size
    return parts


def _frame(name: str, channels: int, pictures: Sequence[bytes]) -> GoldenFrame:
    image = _picture(pictures[0], cv2.IMREAD_COLOR)
    planes = _picture(pictures[1], cv2.IMREAD_GRAYSCALE)
    marked = _picture(pictures[2], cv2.IMREAD_GRAYSCALE)
    if channels < 1 or planes.shape[0] % channels:
        raise ValueError(f"{planes.shape[0]} rows of logits for {channels} channels")
    mask = marked & np.uint8(~_UNCLEAR & 0xFF)
    if mask.max() >= CATEGORY_COUNT:
        raise ValueError(f"category {mask.max()} in a mask")
    logits = planes.view(np.int8).reshape(channels, -1, planes.shape[1]).transpose(1, 2, 0)
    return GoldenFrame(name, image, np.ascontiguousarray(logits), mask, marked < _UNCLEAR)


def _png(picture: U8) -> bytes:
    return encode_picture(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _picture(data: bytes, flags: int) -> U8:
    # The PNG header tells the size before anything is decoded.
    width, height = struct.unpack_from(">II", data, 16)
    if not (0 < width <= _MAX_SIDE_PX and 0 < height <= _MAX_SIDE_PX):
        raise ValueError(f"a picture of {width}x{height} px")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if picture is None:
        raise ValueError("a picture that is no PNG")
    return np.asarray(picture, np.uint8)
