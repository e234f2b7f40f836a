"""The input: a picture of which size, of which numbers, in which order of channels."""

from __future__ import annotations

from dataclasses import dataclass, replace

from roadmask.errors import ConfigError
from roadmask.inference.model_file import ModelInfo
from roadmask.inference.pixels import (
    Pixels,
    covers,
    from_limits,
    from_mean,
    input_range,
    usual_range,
)
from roadmask.inference.reading.ends import leading_scale
from roadmask.inference.reading.graph import Graph, GraphTensor
from roadmask.inference.reading.problem import UnsettledError
from roadmask.inference.reading.read_as import ReadAs
from roadmask.inference.reading.standard import StandardMetadata
from roadmask.system.forms import INPUT_RANGE, SIZE

_RANGE, _SIZE, _CHANNELS = "--input-range", "--size", "--channels"
_GIVE_RANGE = f"give {_RANGE} ({INPUT_RANGE.words})"


@dataclass(frozen=True)
class InputForm:
    """The input tensor and what it is to hold.

    Attributes:
        tensor: as the file tells it.
        shape: ``(1, H, W, 3)``, with the size that was told where the file has none.
        resized: the file has none.
        pixels: the numbers that the network sees; of an integer input with None, nobody tells
            more than that it takes the pixel itself.
        own: the file is ours: an integer input takes the pixel itself, whatever ``pixels`` are.
    """

    tensor: GraphTensor
    shape: tuple[int, ...]
    resized: bool
    pixels: Pixels | None
    own: bool = False

    @property
    def range_name(self) -> str:
        """Of the numbers, for people; ``, BGR`` where the channels are in that order."""
        order = ", BGR" if self.pixels is not None and self.pixels.bgr else ""
        return (self.pixels.name if self.pixels is not None else "0..255") + order


def read_input(
    graph: Graph, info: ModelInfo | None, standard: StandardMetadata, read_as: ReadAs
) -> InputForm:
    """The input of a graph.

    Raises:
        UnsettledError: it is no picture, or what decides its numbers is not known.
        ConfigError: an option that cannot be read.
    """
    if len(graph.inputs) != 1:
        raise UnsettledError(f"it has {len(graph.inputs)} inputs; expected one, a picture")
    tensor = graph.tensors[graph.inputs[0]]
    shape, resized = _shape(tensor, info, read_as.size)
    if tensor.dtype not in ("uint8", "int8", "float32"):
        raise UnsettledError(f"its input is {tensor.dtype}; expected uint8, int8 or float32")
    if standard.grey:
        raise UnsettledError("its metadata says that it takes grey pictures; expected RGB")
    if tensor.dtype != "float32" and tensor.scales and not tensor.quantised:
        raise UnsettledError(
            f"its input's quantisation cannot be used (scale {tensor.scales}, zero point "
            f"{tensor.zero_points}): convert it anew"
        )
    pixels = _pixels(tensor, graph, info, standard, read_as)
    own = info is not None and not read_as.input_range
    return InputForm(tensor, shape, resized, _ordered(pixels, tensor, info, read_as), own)


def _shape(tensor: GraphTensor, info: ModelInfo | None, size: str) -> tuple[tuple[int, ...], bool]:
    signature = tensor.signature
    shown = " x ".join("?" if side < 1 else str(side) for side in signature)
    if len(signature) != 4 or signature[0] not in (1, -1):
        raise UnsettledError(f"its input is {shown}; expected one picture, 1 x H x W x 3")
    if signature[3] != 3:
        first = signature[1] == 3
        raise UnsettledError(
            f"its input is {shown}: "
            + ("channels first; convert it with channels last (1 x H x W x 3)" if first
               else "not three channels; expected RGB, 1 x H x W x 3")
        )  # fmt: skip
    told = _sides(size) if size else None
    if min(signature[1:3]) > 0:
        width, height = signature[2], signature[1]
        if told not in (None, (width, height)):
            raise UnsettledError(
                f"its input is fixed at {width}x{height}, {_SIZE} {size} is given: leave it out",
                _SIZE,
            )
        return (1, height, width, 3), False
    if told is None and info is not None:
        told = info.input_size
    if told is None:
        raise UnsettledError(
            f"its input has no fixed size ({shown}): give {_SIZE} WIDTHxHEIGHT, that it was "
            "trained on",
            _SIZE,
        )
    width, height = told
    if any(
        fixed not in (-1, side) for fixed, side in zip(signature[1:3], (height, width), strict=True)
    ):
        raise UnsettledError(f"its input is {shown}, {_SIZE} {size} is given", _SIZE)
    return (1, height, width, 3), True


def _sides(text: str) -> tuple[int, int]:
    width, height = SIZE.take(text, _SIZE)
    return int(width), int(height)


def _pixels(
    tensor: GraphTensor,
    graph: Graph,
    info: ModelInfo | None,
    standard: StandardMetadata,
    read_as: ReadAs,
) -> Pixels | None:
    told = _told(info, standard, read_as)
    if tensor.dtype == "float32":
        pixels = told or leading_scale(graph)
        if pixels is None:
            raise UnsettledError(
                "its input is float32 and nothing in the file tells which numbers it was trained "
                f"on: {_GIVE_RANGE}",
                _RANGE,
            )
        return pixels
    if info is not None and not read_as.input_range:
        return told
    return _integer_pixels(tensor, told)


def _told(info: ModelInfo | None, standard: StandardMetadata, read_as: ReadAs) -> Pixels | None:
    if read_as.input_range:
        return input_range(read_as.input_range)
    if info is not None:
        scale, offset = info.normalisation
        return from_limits(offset, 255 * scale + offset)
    return from_mean(standard.mean, standard.std) if standard.mean else None


def _integer_pixels(tensor: GraphTensor, told: Pixels | None) -> Pixels | None:
    """What an integer input sees, which its own quantisation must be able to show."""
    if not tensor.quantised:
        if tensor.dtype == "uint8" and (told is None or told == from_limits(0, 255)):
            return None
        raise UnsettledError(
            f"its input is {tensor.dtype} without a scale"
            + (f", which cannot hold {told.name}" if told else "")
            + ": convert it anew, with a quantised input",
            _RANGE if told else "",
        )
    low, high = tensor.real_range
    pixels = told or usual_range(low, high)
    if pixels is None:
        raise UnsettledError(
            f"its quantised input shows {low:.3g} to {high:.3g}, which is no usual range of "
            f"pixels: {_GIVE_RANGE}",
            _RANGE,
        )
    if not covers(low, high, pixels):
        raise UnsettledError(
            f"its quantised input shows {low:.3g} to {high:.3g}, pixels are said to be "
            f"{pixels.name}: {_GIVE_RANGE} that fits",
            _RANGE,
        )
    return pixels


def _ordered(
    pixels: Pixels | None, tensor: GraphTensor, info: ModelInfo | None, read_as: ReadAs
) -> Pixels | None:
    order = read_as.channels or (info.color_order if info else "rgb")
    if order.lower() not in ("rgb", "bgr"):
        if read_as.channels:
            raise ConfigError(f"{_CHANNELS} {order!r}: expected rgb or bgr")
        raise UnsettledError(f"its channels are {order}: give {_CHANNELS} rgb or bgr", _CHANNELS)
    if order.lower() == "rgb":
        return pixels
    return replace(pixels or from_limits(0, 255), bgr=True)
