"""TensorFlow's converter: the float ``.tflite`` for reference, and the quantised one."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.forms.float_file import FloatFile
from convert.quantise.graph import ExportGraph
from convert.quantise.layer_names import tensors_of
from convert.quantise.operators import read_operators
from roadmask.errors import ConfigError, ModelError
from roadmask.system.progress import track
from roadmask.system.terminal import quiet

Graph = ExportGraph | FloatFile
Samples = Sequence[npt.NDArray[np.uint8]]
# Mode → what becomes of weights and of activations.
MODES = {
    "int8": "8-bit weights and activations, uint8 pixels in",
    "int16x8": "8-bit weights, 16-bit activations, float pixels in",
    "dynamic": "8-bit weights, float activations",
    "float16": "16-bit float weights, float activations",
}


def to_float(graph: Graph, *, verbose: bool = False) -> bytes:
    """The float32 ``.tflite``: ``(1, H, W, 3)`` normalised → logits.

    Raises:
        ModelError: an operator that TensorFlow Lite does not have.
    """
    if isinstance(graph, FloatFile):
        return graph.flatbuffer()
    with quiet(not verbose):
        return _run(_converter(graph))


def to_int8(graph: Graph, samples: Samples, *, verbose: bool = False) -> bytes:
    """The full-INT8 ``.tflite``: uint8 pixels → int8 logits, weights per channel."""
    return Quantiser(graph, samples, verbose=verbose).convert("int8")


@dataclass(frozen=True)
class Quantiser:
    """One network and its calibration inputs, ready to be converted in several ways.

    Attributes:
        graph: the network.
        samples: calibration inputs ``(H, W, 3) uint8`` RGB, from the daemon's own preprocessing.
        allow_float: let operators without an INT8 form stay in float.
        verbose: let the converter talk.
    """

    graph: Graph
    samples: Samples
    allow_float: bool = False
    verbose: bool = False

    def convert(self, mode: str = "int8", float_layers: Collection[str] = ()) -> bytes:
        """The ``.tflite`` in one of ``MODES``; ``float_layers`` (of int8) are not quantised.

        Raises:
            ModelError: an operator without a form in that mode.
            ConfigError: a float layer that the network does not have, or none but float layers.
        """
        import tensorflow as tf

        if float_layers or isinstance(self.graph, FloatFile):
            return self._by_quantiser(mode, float_layers)
        graph = self.graph
        with quiet(not self.verbose):
            converter = self._int8_converter(graph) if mode == "int8" else _converter(graph)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if mode == "int16x8":
                converter.target_spec.supported_ops = [
                    tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
                    *([tf.lite.OpsSet.TFLITE_BUILTINS] if self.allow_float else []),
                ]
                converter.representative_dataset = self.representative_dataset()
            elif mode == "float16":
                converter.target_spec.supported_types = [tf.float16]
            return _run(converter)

    @cached_property
    def calibrated(self) -> bytes:
        """The float model with the ranges of its activations, before anything is quantised."""
        with quiet(not self.verbose):
            if isinstance(self.graph, FloatFile):
                return _calibrate(self.graph.flatbuffer(), self.representative_dataset())
            converter = self._int8_converter(self.graph)
            converter._experimental_calibrate_only = True
            return _run(converter)

    @cached_property
    def tensors(self) -> list[str]:
        """Output of every operator, in order of execution."""
        return [operator.tensor for operator in read_operators(self.calibrated)]

    def representative_dataset(self) -> Callable[[], Iterator[list[npt.NDArray[np.float32]]]]:
        """The samples as TensorFlow's converter takes them."""
        scale, offset = self.graph.normalisation

        def dataset() -> Iterator[list[npt.NDArray[np.float32]]]:
            for number, sample in enumerate(track(self.samples, "calibrate")):
                pixels = _spanning(sample) if number == 0 else sample
                yield [pixels[None] * np.float32(scale) + np.float32(offset)]

        return dataset

    def _by_quantiser(self, mode: str, float_layers: Collection[str]) -> bytes:
        """With some layers in float, or from a ``.tflite``: by the quantiser behind the converter.

        The converter itself offers no choice by layer and reads no ``.tflite``; TensorFlow's
        QuantizationDebugger makes its selective models by this call.
        """
        import tensorflow as tf
        from tensorflow.lite.python.convert import mlir_quantize
        from tensorflow.lite.python.util import modify_model_io_type

        tensors = tensors_of(float_layers, self.tensors, self.graph.operator_names)
        calibrated = self.calibrated
        with quiet(not self.verbose):
            if mode == "int16x8":
                return bytes(mlir_quantize(calibrated, inference_type=tf.int16.as_datatype_enum))
            model = mlir_quantize(calibrated, denylisted_nodes=tensors)
            # An end that is a float layer stays float32: there is no operator to take pixels.
            try:
                return bytes(modify_model_io_type(model, tf.uint8, tf.int8))
            except ValueError as error:
                raise ConfigError(
                    f"{len(float_layers)} layers in float leave none in INT8: name fewer, or run "
                    "the float network"
                ) from error

    def _int8_converter(self, graph: ExportGraph) -> Any:
        import tensorflow as tf

        converter = _converter(graph)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
            *([tf.lite.OpsSet.TFLITE_BUILTINS] if self.allow_float else []),
        ]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
        converter.representative_dataset = self.representative_dataset()
        return converter


def _spanning(sample: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    # A black and a white pixel fix the input's range to all of 0 to 255, whatever the pictures
    # hold: its scale is then the normalisation itself and the tensor takes pixels as they are.
    sample = sample.copy()
    sample[0, 0], sample[0, 1] = 0, 255
    return sample


def _calibrate(model: bytes, dataset: Callable[[], Iterator[Any]]) -> bytes:
    """A float ``.tflite`` with the ranges of its activations."""
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    try:
        return bytes(Calibrator(model).calibrate(dataset))
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"the network cannot be calibrated: {_reason(error)}") from error


def _converter(graph: ExportGraph) -> Any:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    width, height = graph.input_size
    signature = tf.TensorSpec((1, height, width, 3), tf.float32, name="image")

    @tf.function(input_signature=[signature])  # type: ignore[untyped-decorator]
    def network(image: Any) -> Any:
        return graph.network(image)

    # Frozen: the calibrator cannot run a graph that still reads variables.
    frozen = convert_variables_to_constants_v2(network.get_concrete_function())
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen])


def _run(converter: Any) -> bytes:
    try:
        return bytes(converter.convert())
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelError(f"the network cannot be converted: {_reason(error)}") from error
    except Exception as error:
        # ConverterError, the usual one, derives from Exception itself.
        if type(error).__name__ != "ConverterError":
            raise
        raise ModelError(f"the network cannot be converted: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """The line of TensorFlow's long message that names the operator, or that operator."""
    if unknown := re.search(r"'(tf\.\w+)' op is neither a custom op nor a flex op", str(error)):
        return f"TensorFlow Lite has no operator for {unknown[1]}; build the network without it"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [x for x in lines if "op" in x.lower() and ("custom" in x or "requires" in x)]
    return (telling or lines or [type(error).__name__])[0][:200]
