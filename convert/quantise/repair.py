"""The fewest layers that must stay in float for a conversion to pass its gates.

Layers are ranked by what quantisation does to each one alone (TensorFlow's QuantizationDebugger
feeds the float and the quantised operator the same input), kept in float from the worst on until
the gates are passed, and then given back one by one while they still are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from convert.quantise.converter import Quantiser
from convert.quantise.layer_names import layer_name
from roadmask.errors import ModelError
from roadmask.system.terminal import quiet

MAX_LAYERS = 16
_PROBED_FRAMES = 4
Trial = TypeVar("Trial")


@dataclass(frozen=True)
class Repair(Generic[Trial]):
    """What the search found.

    Attributes:
        layers: kept in float.
        trial: what the last attempt with them measured.
        ranking: layer → error, the worst first.
        attempts: conversions that were measured.
    """

    layers: list[str]
    trial: Trial
    ranking: dict[str, float]
    attempts: int


def rank_layers(quantiser: Quantiser) -> dict[str, float]:
    """Layer → error of its quantised output against its float output, the worst first.

    The error is the noise-to-signal ratio of a channel, at most 1, in the mean over channels: in a
    tensor of wildly different channels the noise of all is that of the largest, and the small ones
    drown in it, which a ratio over the whole tensor does not show.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    every = max(1, len(quantiser.samples) // _PROBED_FRAMES)
    probed = quantiser.samples[::every][:_PROBED_FRAMES]
    scale, offset = (np.float32(value) for value in quantiser.graph.normalisation)
    calibrated = quantiser.calibrated
    with quiet(not quantiser.verbose):
        options = tf.lite.experimental.QuantizationDebugOptions(
            layer_direct_compare_metrics={"error": channel_error}
        )
        debugger = tf.lite.experimental.QuantizationDebugger(
            quant_debug_model_content=mlir_quantize(calibrated, enable_numeric_verify=True),
            debug_dataset=lambda: ([pixels[None] * scale + offset] for pixels in probed),
            debug_options=options,
        )
        debugger.run()
    errors: dict[str, float] = {}
    for tensor, statistics in debugger.layer_statistics.items():
        # The key is the verifying operator's: NumericVerify/TENSOR:NUMBER.
        tensor = tensor.removeprefix("NumericVerify/").rpartition(":")[0]
        tensor = _unnumbered(tensor, quantiser.tensors)
        name = layer_name(tensor, quantiser.graph.operator_names)
        errors[name] = max(errors.get(name, 0.0), float(statistics["error"]))
    return dict(sorted(errors.items(), key=lambda item: (-item[1], item[0])))


def _unnumbered(tensor: str, known: Sequence[str]) -> str:
    """As the calibrated network calls it: the debugger's has all twice, and numbers one of them."""
    name = tensor
    while name not in known and name[-1:].isdigit():
        name = name[:-1]
    return name if name in known else tensor


def channel_error(
    real: npt.NDArray[np.float32], q: npt.NDArray[np.int8], scale: float, zero_point: int
) -> float:
    """Mean over the channels (last axis) of noise / signal, each at most 1."""
    axes = tuple(range(real.ndim - 1))
    restored = np.float32(scale) * (q.astype(np.float32) - zero_point)
    signal = np.square(real, dtype=np.float64).sum(axis=axes)
    noise = np.square(real - restored, dtype=np.float64).sum(axis=axes)
    alive = signal > 0
    return float(np.minimum(noise[alive] / signal[alive], 1).mean()) if alive.any() else 0.0


def repair(
    ranking: dict[str, float],
    attempt: Callable[[Sequence[str]], Trial],
    passes: Callable[[Trial], bool],
) -> Repair[Trial]:
    """Search the fewest layers of the ranking that ``passes`` once they stay in float.

    Args:
        ranking: layer → error, the worst first.
        attempt: convert with these layers in float, and measure.
        passes: whether that is good enough.

    Raises:
        ModelError: even the ``MAX_LAYERS`` worst, or all but one, are not enough.
    """
    order = list(ranking)
    most = min(MAX_LAYERS, len(order) - 1)  # with all of them it is the float network
    attempts, count = 0, min(1, most)
    while count:
        chosen = order[:count]
        trial = attempt(chosen)
        attempts += 1
        if passes(trial):
            break
        count = min(2 * count, most) if count < most else 0
    if not count:
        raise ModelError(
            f"--repair found no way: the gates are missed with the {most} worst layers in float "
            f"too ({', '.join(order[:3])}, …); train longer, or use --mode int16x8"
        )
    for layer in reversed(order[:count]):  # the least suspect first
        fewer = [name for name in chosen if name != layer]
        if not fewer:
            break
        without = attempt(fewer)
        attempts += 1
        if passes(without):
            chosen, trial = fewer, without
    return Repair(chosen, trial, ranking, attempts)


def ranking_json(ranking: dict[str, float]) -> list[dict[str, Any]]:
    """The ranking's worst ten, for the report."""
    return [{"layer": name, "error": round(e, 4)} for name, e in list(ranking.items())[:10]]
