"""What quantisation does inside the network: error and saturation after every operator.

The float and the quantised model run side by side on calibration inputs. The converter keeps the
names of the tensors, so each quantised tensor finds its float original.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.quantise.layer_names import layer_name

Samples = Sequence[npt.NDArray[np.uint8]]
_ACTIVATIONS = (np.int8, np.int16, np.float32)


@dataclass(frozen=True)
class LayerError:
    """One operator's output.

    Attributes:
        name: the Keras layer, as far as the tensor's name tells.
        operator: ``CONV_2D``, …
        sqnr_db: signal-to-quantisation-noise ratio, dB, this operator's error and all before it.
        low, high: share of the values at the ends of the integer's range, 0 for a float layer. A
            ReLU's zeros lie at the low end by intention.
    """

    name: str
    operator: str
    sqnr_db: float
    low: float
    high: float

    def to_json(self) -> dict[str, Any]:
        """Rounded: the last digits depend on the processor."""
        return {
            **asdict(self),
            "sqnr_db": round(self.sqnr_db, 1),
            "low": round(self.low, 3),
            "high": round(self.high, 4),
        }


def layer_errors(
    float_model: bytes,
    quantised_model: bytes,
    samples: Samples,
    normalisation: tuple[float, float],
    names: Mapping[str, str] | None = None,
) -> list[LayerError]:
    """Errors of every operator whose tensor both models have, in order of execution.

    Args:
        float_model: float32 ``.tflite``.
        quantised_model: a quantised one of the same network.
        samples: inputs ``(H, W, 3) uint8`` RGB.
        normalisation: scale and offset that a float input has behind it.
        names: of ``convert.quantise.layer_names.operator_names``.
    """
    reference, quantised = _Probe(float_model), _Probe(quantised_model)
    pairs = [
        (operator, reference.tensors[name], tensor)
        for operator, name, tensor in quantised.outputs
        if name in reference.tensors and tensor["dtype"] in _ACTIVATIONS
    ]
    sums = np.zeros((len(pairs), 4))  # signal, noise, low, high
    for sample in samples:
        scale, offset = np.float32(normalisation[0]), np.float32(normalisation[1])
        real = sample * scale + offset
        reference.run(real)
        quantised.run(sample if quantised.takes_pixels else real)
        for row, (_, before, after) in zip(sums, pairs, strict=True):
            row += _errors(reference.read(before), quantised.read(after), after)
    count = max(1, len(samples))
    return [
        LayerError(
            layer_name(after["name"], names),
            operator,
            sqnr_db(float(signal), float(noise)),
            float(low) / count,
            float(high) / count,
        )
        for (operator, _, after), (signal, noise, low, high) in zip(pairs, sums, strict=True)
    ]


def sqnr_db(signal: float, noise: float) -> float:
    """``10 log10(signal / noise)``, at most 99 (no noise at all), 0 without a signal."""
    if signal <= 0:
        return 0.0
    return min(99.0, 10 * float(np.log10(signal / noise))) if noise > 0 else 99.0


def _errors(
    real: npt.NDArray[np.float32], q: npt.NDArray[Any], details: dict[str, Any]
) -> npt.NDArray[np.float64]:
    scale, zero_point = details["quantization"]
    restored = (
        q if q.dtype == np.float32 else np.float32(scale) * (q.astype(np.float32) - zero_point)
    )
    # float64 sums: a map of 100,000 values loses digits in float32.
    signal = np.square(real, dtype=np.float64).sum()
    noise = np.square(real - restored, dtype=np.float64).sum()
    if q.dtype == np.float32:
        return np.array([signal, noise, 0.0, 0.0])
    ends = np.iinfo(q.dtype)
    return np.array([signal, noise, np.mean(q == ends.min), np.mean(q == ends.max)])


class _Probe:
    """A model whose intermediate tensors stay readable: no delegate, no reuse of memory."""

    def __init__(self, model: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._interpreter = Interpreter(
            model_content=model,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._interpreter.allocate_tensors()
        by_index = {d["index"]: d for d in self._interpreter.get_tensor_details()}
        # The public API does not list the operators; LiteRT's own tools use this one.
        operators = self._interpreter._get_ops_details()
        self.outputs = [
            (o["op_name"], by_index[o["outputs"][0]]["name"], by_index[o["outputs"][0]])
            for o in operators
        ]
        self.tensors = {name: tensor for _, name, tensor in self.outputs}
        given = self._interpreter.get_input_details()[0]
        self._input, self.takes_pixels = given["index"], given["dtype"] == np.uint8

    def run(self, image: npt.NDArray[Any]) -> None:
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()

    def read(self, tensor: dict[str, Any]) -> npt.NDArray[Any]:
        return np.asarray(self._interpreter.get_tensor(tensor["index"]))
