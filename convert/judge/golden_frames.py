"""Make the golden frames of a converted model: drawn frames, reference arithmetic, masks.

How far correct arithmetic may be off depends on the network: each kernel's rounding is a step or
so, and what follows shrinks it (convolutions: 4 to 5 steps of the logits) or lets it grow (the
normalisations and softmaxes of a transformer: 13 and more). The network tells by itself: each frame
is asked a second time with its pixels off by one step at random. Where that moves no logit by more
than the usual tolerance, the usual one holds; else it is twice the largest change, for rounding
enters at every layer and the dither at the first alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.inference.engine import Engine
from roadmask.inference.golden import TOLERANCE_STEPS, Golden, GoldenFrame
from roadmask.inference.preprocess import Preprocess
from roadmask.inference.reference_kernels import argmax_upsample
from roadmask.town.town import WEATHERS, Town

_SEED, _INDEX = 5, 40
_SIZE = (240, 176)  # px; small, for every model file carries them
# As a table of confidence it leaves the lead over the best other category in whole logit steps.
_STEPS = np.arange(256, dtype=np.uint8)
_DITHER_SEED = 0


def make_golden(engine: Engine) -> Golden:
    """Certify what this model answers on a town frame in each weather.

    Args:
        engine: the converted model, loaded with its metadata.
    """
    reference = _Reference(engine)
    table = engine.labels.category_table[: engine.output_spec.shape[3]]
    answers, frames, changes = [], [], []
    for weather in WEATHERS:
        image = Town(_SEED, *_SIZE, weather=weather).frame(_INDEX).image
        tensor = np.empty(engine.input_spec.shape[1:], engine.input_spec.dtype)
        Preprocess(engine, _SIZE).into(image, tensor)
        logits = reference.logits(tensor)
        answers.append((f"town-{weather}", image, logits))
        changes.append(_largest_difference(reference.logits(_dithered(engine, tensor)), logits))
    scale, zero_point = _quantisation(engine, [logits for _, _, logits in answers])
    unit = 1.0 if engine.output_spec.scale else scale  # quantised logits are in steps already
    change = max(changes) / unit
    steps = TOLERANCE_STEPS if change <= TOLERANCE_STEPS else math.ceil(2 * change)
    for name, image, logits in answers:
        quantized = _quantized(logits, scale, zero_point)
        mask, lead, _, _ = argmax_upsample(
            quantized, engine.input_size, table, engine.labels.first_competing, _STEPS
        )
        frames.append(GoldenFrame(name, image, quantized, mask, lead > 2 * steps))
    return Golden(tuple(frames), scale, zero_point, steps * scale)


def _dithered(engine: Engine, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The network's input with every pixel value one step lower, the same, or one step higher."""
    noise = np.random.default_rng(_DITHER_SEED).integers(-1, 2, tensor.shape)
    if tensor.dtype == np.uint8:
        return np.asarray(np.clip(tensor + noise, 0, 255), np.uint8)
    step = engine.info.normalisation[0] if engine.info else 1.0
    return np.asarray(tensor + noise * step, tensor.dtype)


def _largest_difference(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    return float(np.abs(a.astype(np.float64) - b).max())


def _quantisation(engine: Engine, answers: list[npt.NDArray[Any]]) -> tuple[float, int]:
    spec = engine.output_spec
    if spec.scale:
        return spec.scale, spec.zero_point
    # Float logits are kept in 255 steps too: enough to compare with a tolerance of 8.
    return max(float(np.abs(logits).max()) for logits in answers) / 127 or 1.0, 0


def _quantized(logits: npt.NDArray[Any], scale: float, zero_point: int) -> npt.NDArray[np.int8]:
    if logits.dtype == np.int8:
        return np.asarray(logits, np.int8)
    return np.asarray(np.clip(np.rint(logits / scale) + zero_point, -128, 127), np.int8)


class _Reference:
    """LiteRT's reference kernels: integer arithmetic that no processor changes."""

    def __init__(self, engine: Engine) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._interpreter = Interpreter(
            model_path=str(engine.path),
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        )
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def logits(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self._interpreter.set_tensor(self._input, tensor[None])
        self._interpreter.invoke()
        return np.asarray(self._interpreter.get_tensor(self._output)[0])
