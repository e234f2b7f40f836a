"""Run a model on LiteRT: one interpreter whose own buffers are the input and the output."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.errors import ConfigError, ModelError
from roadmask.labels import LabelSet, label_set
from roadmask.modelfile import ModelInfo, digest, model_path, read_metadata, read_model
from roadmask.quiet import quiet

# First that imports wins: LiteRT, its predecessor, TensorFlow's own interpreter.
_RUNTIMES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
    ("tensorflow.lite.python.interpreter", "tensorflow"),
)


@dataclass(frozen=True)
class TensorSpec:
    """Shape, type and quantisation of a tensor: ``real = scale * (q - zero_point)``.

    ``scale`` is 0 for a tensor that is not quantised.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int


class Engine:
    """A loaded network of one image in, one logits or id map out.

    Args:
        model: path, or stem of a shipped model.
        threads: of the interpreter.
        labels: label set of the output, where the file does not name it or names it wrongly.

    Raises:
        ModelError: missing, corrupt, or not of a supported form.
        ConfigError: no label set is known, or it does not fit the output.

    Attributes:
        input: ``(H, W, 3)``, the interpreter's own input buffer: write here.
        output: ``(h, w, C)`` logits or ``(h, w)`` ids, its own output buffer: read after invoke.
    """

    def __init__(
        self, model: str | Path, threads: int = 1, labels: str | LabelSet | None = None
    ) -> None:
        if threads < 1:
            raise ConfigError(f"--threads {threads}: expected 1 or more")
        self.path = model_path(model)
        data = read_model(self.path)
        self.digest = digest(data)
        self.info: ModelInfo | None = read_metadata(data)
        self.threads = threads
        self.runtime, self._interpreter = _load(self.path, data, threads)
        inputs, outputs = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        self.input_spec = _spec(inputs[0])
        self.output_spec = _spec(outputs[0])
        self._check_form(len(inputs), len(outputs))
        self.labels = self._choose_labels(labels)
        self.input = self._view(inputs[0]["index"], self.input_spec)[0]
        self.output = self._view(outputs[0]["index"], self.output_spec)[0]

    @property
    def name(self) -> str:
        """Name of the model: its metadata's, else the file's."""
        return self.info.name if self.info else self.path.stem

    @property
    def input_size(self) -> tuple[int, int]:
        """Width and height of the input in px."""
        _, height, width, _ = self.input_spec.shape
        return width, height

    def invoke(self) -> None:
        """Run the network on what ``input`` holds."""
        self._interpreter.invoke()

    def _view(self, index: int, spec: TensorSpec) -> npt.NDArray[Any]:
        # An array that LiteRT hands out counts as a reference and makes invoke() refuse. Tensors
        # keep their place once allocated, so a view by address is safe while the interpreter lives.
        address = self._interpreter.tensor(index)().__array_interface__["data"][0]
        size = int(np.prod(spec.shape)) * spec.dtype.itemsize
        memory = (ctypes.c_uint8 * size).from_address(address)
        memory.owner = self._interpreter  # type: ignore[attr-defined]
        view: npt.NDArray[Any] = np.ndarray(spec.shape, spec.dtype, memoryview(memory))
        return view

    def _check_form(self, inputs: int, outputs: int) -> None:
        given, seen = self.input_spec, self.output_spec
        if inputs != 1 or len(given.shape) != 4 or given.shape[0] != 1 or given.shape[3] != 3:
            raise ModelError(
                f"model {self.path}: expected one input (1, H, W, 3), got {inputs} of shape "
                f"{given.shape}"
            )
        if given.dtype not in (np.uint8, np.int8, np.float32):
            raise ModelError(
                f"model {self.path}: input is {given.dtype}; expected uint8, int8 or float32"
            )
        logits = len(seen.shape) == 4 and seen.dtype in (np.int8, np.float32)
        ids = len(seen.shape) == 3 and seen.dtype in (np.int32, np.int64, np.uint8)
        if outputs < 1 or seen.shape[0] != 1 or not (logits or ids):
            raise ModelError(
                f"model {self.path}: expected logits (1, h, w, C) or class ids (1, h, w), got "
                f"{seen.dtype} of shape {seen.shape}"
            )

    def _choose_labels(self, labels: str | LabelSet | None) -> LabelSet:
        if isinstance(labels, LabelSet):
            chosen = labels
        elif labels or self.info:
            chosen = label_set(labels or self.info.labels)  # type: ignore[union-attr]
        else:
            raise ConfigError(
                f"model {self.path} does not name its label set: give --labels "
                "(cityscapes-8, cityscapes-19 or a .toml file)"
            )
        channels = self.output_spec.shape[3] if len(self.output_spec.shape) == 4 else None
        if channels is not None and channels < chosen.class_count:
            raise ConfigError(
                f"model {self.path} has {channels} output channels, label set {chosen.name} "
                f"{chosen.class_count} classes: give the set that it was trained on with --labels"
            )
        return chosen


def _load(path: Path, data: bytes, threads: int) -> tuple[str, Any]:
    for module_name, package in _RUNTIMES:
        try:
            module = import_module(module_name)
        except ImportError:
            continue
        try:
            with quiet():  # LiteRT announces its delegate on standard error
                interpreter = module.Interpreter(model_content=data, num_threads=threads)
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
            raise ModelError(f"model {path} cannot be loaded by {package}: {reason}") from error
        return package, interpreter
    packages = ", ".join(package for _, package in _RUNTIMES)
    raise ModelError(f"no TensorFlow Lite runtime is installed: install one of {packages}")


def _spec(details: dict[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    return TensorSpec(
        tuple(int(n) for n in details["shape"]),
        np.dtype(details["dtype"]),
        float(scale),
        int(zero_point),
    )
