"""TensorFlow's converter: the float ``.tflite`` for reference, and the full-INT8 one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from convert.graph import ExportGraph
from roadmask.errors import ModelError
from roadmask.quiet import quiet

Samples = Sequence[npt.NDArray[np.uint8]]


def to_float(graph: ExportGraph, *, verbose: bool = False) -> bytes:
    """The float32 ``.tflite``: ``(1, H, W, 3)`` normalised → logits.

    Raises:
        ModelError: an operator that TensorFlow Lite does not have.
    """
    with quiet(not verbose):
        return _run(_converter(graph))


def to_int8(graph: ExportGraph, samples: Samples, *, verbose: bool = False) -> bytes:
    """The full-INT8 ``.tflite``: uint8 pixels → int8 logits, weights per channel.

    Args:
        graph: the network.
        samples: calibration inputs ``(H, W, 3) uint8`` RGB, from the daemon's own preprocessing.
        verbose: let the converter talk.

    Raises:
        ModelError: an operator without an INT8 form.
    """
    import tensorflow as tf

    with quiet(not verbose) as terminal:
        converter = _converter(graph)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.int8
        scale, offset = graph.normalisation

        def representative_dataset() -> Iterator[list[npt.NDArray[np.float32]]]:
            bar = tqdm(samples, desc="calibrate", unit="frame", file=terminal)
            for number, sample in enumerate(bar):
                pixels = _spanning(sample) if number == 0 else sample
                yield [pixels[None] * np.float32(scale) + np.float32(offset)]

        converter.representative_dataset = representative_dataset
        return _run(converter)


def _spanning(sample: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    # A black and a white pixel fix the input's range to all of 0 to 255, whatever the pictures
    # hold: its scale is then the normalisation itself and the tensor takes pixels as they are.
    sample = sample.copy()
    sample[0, 0], sample[0, 1] = 0, 255
    return sample


def _converter(graph: ExportGraph) -> Any:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    width, height = graph.input_size
    signature = tf.TensorSpec((1, height, width, 3), tf.float32, name="image")

    @tf.function(input_signature=[signature])  # type: ignore[untyped-decorator]
    def network(image: Any) -> Any:
        return graph.model(image, training=False)

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
    """The line of TensorFlow's long message that names the operator."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [x for x in lines if "op" in x.lower() and ("custom" in x or "requires" in x)]
    return (telling or lines or [type(error).__name__])[0][:200]
