"""What quantisation does inside the network: error and saturation after every operator.

The float and the INT8 model run side by side on calibration inputs. The converter keeps the names
of the tensors, so each INT8 tensor finds its float original.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = Sequence[npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class LayerError:
    """One operator's output.

    Attributes:
        name: the Keras layer, as far as the tensor's name tells.
        operator: ``CONV_2D``, …
        sqnr_db: signal-to-quantisation-noise ratio, dB, this operator's error and all before it.
        low, high: share of the values at the ends of int8's range. A ReLU's zeros lie at the low
            end by intention.
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
    int8_model: bytes,
    samples: Samples,
    normalisation: tuple[float, float],
) -> list[LayerError]:
    """Errors of every operator whose tensor both models have, in order of execution.

    Args:
        float_model: float32 ``.tflite``.
        int8_model: the full-INT8 one of the same network.
        samples: inputs ``(H, W, 3) uint8`` RGB.
        normalisation: scale and offset that the float model's input has behind it.
    """
    reference, quantised = _Probe(float_model), _Probe(int8_model)
    pairs = [
        (operator, reference.tensors[name], tensor)
        for operator, name, tensor in quantised.outputs
        if name in reference.tensors and tensor["dtype"] == np.int8
    ]
    sums = np.zeros((len(pairs), 4))  # signal, noise, low, high
    for sample in samples:
        scale, offset = np.float32(normalisation[0]), np.float32(normalisation[1])
        reference.run(sample * scale + offset)
        quantised.run(sample)
        for row, (_, before, after) in zip(sums, pairs, strict=True):
            row += _errors(reference.read(before), quantised.read(after), after)
    count = max(1, len(samples))
    return [
        LayerError(
            _layer_name(after["name"]),
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
    real: npt.NDArray[np.float32], q: npt.NDArray[np.int8], details: dict[str, Any]
) -> npt.NDArray[np.float64]:
    scale, zero_point = details["quantization"]
    restored = np.float32(scale) * (q.astype(np.float32) - zero_point)
    # float64 sums: a map of 100,000 values loses digits in float32.
    signal = np.square(real, dtype=np.float64).sum()
    noise = np.square(real - restored, dtype=np.float64).sum()
    return np.array([signal, noise, np.mean(q == -128), np.mean(q == 127)])


def _layer_name(tensor: str) -> str:
    """``net_1/re_lu_3_1/Relu6;net_1/conv2d_3_1/convolution`` → ``conv2d_3``, or the first part."""
    parts = [part.split("/") for part in tensor.split(";")]
    for words in parts:
        if words[-1] in ("convolution", "depthwise") or words[-1].startswith("conv"):
            return words[-2].removesuffix("_1") if len(words) > 1 else words[0]
    return (parts[0][-2] if len(parts[0]) > 1 else parts[0][0]).removesuffix("_1")


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
        self._input = self._interpreter.get_input_details()[0]["index"]

    def run(self, image: npt.NDArray[Any]) -> None:
        self._interpreter.set_tensor(self._input, image[None])
        self._interpreter.invoke()

    def read(self, tensor: dict[str, Any]) -> npt.NDArray[Any]:
        return np.asarray(self._interpreter.get_tensor(tensor["index"]))
