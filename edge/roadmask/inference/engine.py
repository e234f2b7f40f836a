"""Run a model on LiteRT: on the processor its own buffers are the input and the output."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from roadmask import _native
from roadmask.errors import ConfigError, ModelError
from roadmask.inference.accelerator import (
    Accelerator,
    InterpreterRunner,
    Placement,
    Runner,
    accelerated,
)
from roadmask.inference.int8_input import int8_input
from roadmask.inference.model_file import ModelInfo, digest, model_path, read_metadata, read_model
from roadmask.labels.label_set import LabelSet
from roadmask.labels.lookup import label_set

_log = logging.getLogger(__name__)


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
        accelerator: what else than the processor runs it. Without it, or when it fails later, the
            processor does, and ``placement.fallback`` says why.

    Raises:
        ModelError: missing, corrupt, not of a supported form; a required accelerator that fails.
        ConfigError: no label set is known, or it does not fit the output.

    Attributes:
        input: ``(H, W, 3)``: write here. The interpreter's own input buffer, or, for a network
            that begins with a conversion of uint8, one that is converted into that.
        direct_input: what the network itself reads, for ``invoke_direct``; where it is not
            ``input``, it is int8, the pixel less 128.
        output: ``(h, w, C)`` logits or ``(h, w)`` ids, its own output buffer: read after invoke.
    """

    def __init__(
        self,
        model: str | Path,
        threads: int = 1,
        labels: str | LabelSet | None = None,
        accelerator: Accelerator = Accelerator(),  # noqa: B008 (frozen)
    ) -> None:
        if threads < 1:
            raise ConfigError(f"--threads {threads}: expected 1 or more")
        self.path = model_path(model)
        data = read_model(self.path)
        self.digest = digest(data)
        self.info: ModelInfo | None = read_metadata(data)
        self.threads = threads
        # A delegate is shown the network as it is.
        cast = None if accelerator.name else int8_input(data)
        self._processor = InterpreterRunner(self.path, cast or data, threads)
        interpreter = self._processor.interpreter
        self.runtime = interpreter.package
        self.input_spec = _spec(interpreter.inputs[0])
        self.output_spec = _spec(interpreter.outputs[0])
        self._check_form(len(interpreter.inputs), len(interpreter.outputs))
        self.labels = self._choose_labels(labels)
        self.input, self.output = self._processor.input, self._processor.output
        self._runner: Runner = self._processor
        self._casts = cast is not None
        if self._casts:
            self.input_spec = replace(
                self.input_spec,
                dtype=np.dtype(np.uint8),
                zero_point=self.input_spec.zero_point + 128,
            )
            self.input = np.zeros(self.input.shape, np.uint8)
        self.direct_input = self._processor.input
        self._placement: Placement | None = None  # of a fallback
        self._required = accelerator.required
        if accelerator.name:
            self._accelerate(accelerator, data)
        _log.info("%s: %s", self.name, self.placement.describe())

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
        """Run the network on what ``input`` holds.

        Raises:
            ModelError: it failed, on the processor too.
        """
        if self._casts:
            _native.flip_top_bits(self.input, self.direct_input)
        self.invoke_direct()

    def invoke_direct(self) -> None:
        """The same on what ``direct_input`` holds.

        Raises:
            ModelError: as above.
        """
        runner = self._runner
        try:
            if runner.input is self.direct_input:
                runner.invoke()
                return
            np.copyto(runner.input, self.input)
            runner.invoke()
            np.copyto(self.output, runner.output)
        except RuntimeError as error:
            reason = " ".join(str(error).split()) or "no reason given"
            if runner is self._processor or self._required:
                raise ModelError(f"model {self.path} failed: {reason}") from error
            self._fall_back(f"{self.placement.accelerator} failed: {reason}")
            self.invoke_direct()

    @property
    def placement(self) -> Placement:
        """Who runs which operators now."""
        return self._placement or self._runner.placement

    def _accelerate(self, accelerator: Accelerator, data: bytes) -> None:
        try:
            runner = accelerated(accelerator, self.path, data, self.threads, self._processor)
        except ModelError as error:
            if accelerator.required:
                raise ModelError(f"{error}; leave out --delegate-required to go on") from error
            self._placement = replace(self._processor.placement, accelerator=accelerator.name)
            self._fall_back(str(error))
            return
        # Arrays of our own, which stay where they are should the accelerator be lost.
        self._runner = runner
        self.input, self.output = np.zeros_like(self.input), np.zeros_like(self.output)
        self.direct_input = self.input

    def _fall_back(self, reason: str) -> None:
        _log.warning("%s: on the processor from now on: %s", self.name, reason)
        name = self.placement.accelerator
        self._runner = self._processor
        self._placement = replace(self._runner.placement, accelerator=name, fallback=reason)

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


def _spec(details: dict[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    return TensorSpec(
        tuple(int(n) for n in details["shape"]),
        np.dtype(details["dtype"]),
        float(scale),
        int(zero_point),
    )
