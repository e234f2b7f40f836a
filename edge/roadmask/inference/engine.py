"""Run a model on LiteRT: on the processor its own buffers are the input and the output."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from roadmask import _native
from roadmask.errors import ConfigError, ModelError
from roadmask.inference.accelerator import (
    Accelerator,
    InterpreterRunner,
    Placement,
    Runner,
    Wiring,
    accelerated,
)
from roadmask.inference.model_file import check_seal, digest, model_path, naming, read_model
from roadmask.inference.reading.read_as import AS_IT_SAYS, ReadAs
from roadmask.labels.label_set import LabelSet
from roadmask.system.clock import now_ns
from roadmask.system.ranges import THREADS
from roadmask.system.scheduling import require_threads

if TYPE_CHECKING:
    from roadmask.inference.proof import Standing
    from roadmask.inference.reading.graph import GraphTensor
    from roadmask.inference.reading.input import InputForm
    from roadmask.inference.reading.output import OutputForm

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


class EngineLostError(ModelError):
    """The process that ran the network is gone, or was ended because it hung."""


class Engine:
    """A loaded network of one image in, one logits or id map out.

    Args:
        model: path, or stem of a shipped model.
        threads: of the interpreter.
        labels: label set of the output, where the file does not name it or names it wrongly.
        accelerator: what else than the processor runs it. Without it, or when it fails later, the
            processor does, and ``placement.fallback`` says why.
        read_as: how to read a network whose file does not tell.

    Raises:
        ModelError: missing, corrupt, changed since it was sealed, not of a supported form; a
            required accelerator that fails.
        ConfigError: what decides a pixel is not known, or does not fit; the message names the
            option that settles it.

    Attributes:
        input: ``(H, W, 3)``: write here. The interpreter's own input buffer, or, for a network
            that begins with a conversion of uint8, one that is converted into that.
        pixels: the numbers that the network sees; None: nothing but the pixel itself is known.
        pixel_table: ``(3, 256)``, see ``pixel_table``.
        ends_in: ``logits``, ``softmax``, ``sigmoid`` or ``argmax``.
        sealed: whether the file carries the digest of its own bytes, which was right.
        direct_input: what the network itself reads, for ``invoke_direct``; where it is not
            ``input``, it is int8, the pixel less 128.
        late: called when an answer is later than usual, by who waits for it.
        standing: how far it is proved on this board; None until ``proof.prove`` was asked.
        ask_again: what is wrong with its answers to the golden frames that proved it, empty for
            nothing; None where nothing proved it. For who replaces what runs it.
        output: ``(h, w, C)`` logits or ``(h, w)`` ids, its own output buffer: read after invoke.
    """

    def __init__(
        self,
        model: str | Path,
        threads: int = 1,
        labels: str | LabelSet | None = None,
        accelerator: Accelerator = Accelerator(),  # noqa: B008 (frozen)
        read_as: ReadAs = AS_IT_SAYS,
    ) -> None:
        # What reads files is not loaded where the network runs in another process.
        from roadmask.inference.contract import read_contract
        from roadmask.inference.int8_input import int8_input

        self.late: Callable[[], None] = lambda: None
        THREADS.check(threads, "--threads")
        require_threads(threads)
        self.standing: Standing | None = None
        self.ask_again: Callable[[], str] | None = None
        self.path = model_path(model)
        data = read_model(self.path)
        self.digest, self.sealed = digest(data), check_seal(data, self.path)
        with naming(self.path):
            contract = read_contract(data, labels, read_as)
        given, made, self.labels = contract.settled(self.path)
        self.info, self.ends_in, self.threads = contract.info, made.ends_in, threads
        self._wiring = Wiring(made.index, given.shape if given.resized else ())
        # A delegate is shown the network as it is.
        cast = None if accelerator.name or given.resized else int8_input(data)
        self._processor = InterpreterRunner(self.path, cast or data, threads, self._wiring)
        self.runtime = self._processor.interpreter.package
        self.input, self.output = self._processor.input, _plane(self._processor.output, made)
        self.input_spec = spec_of(given.tensor, self.input.shape)
        self.output_spec = spec_of(made.tensor, self.output.shape)
        self._check_shapes(given, made)
        self.pixels = given.pixels
        self.pixel_table = pixel_table(given)
        self._runner: Runner = self._processor
        self._casts = cast is not None
        if self._casts:
            self.input = np.zeros(self.input.shape, np.uint8)
        self.direct_input = self._processor.input
        self._placement: Placement | None = None  # of a fallback
        self._required = accelerator.required
        if accelerator.name:
            self._accelerate(accelerator, data)
        self._announce()

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
            np.copyto(self.output, runner.output.reshape(self.output.shape))
        except RuntimeError as error:
            reason = " ".join(str(error).split()) or "no reason given"
            if runner is self._processor or self._required:
                raise ModelError(f"model {self.path} failed: {reason}") from error
            self._fall_back(f"{self.placement.accelerator} failed: {reason}")
            if wrong := self.asked_again():
                raise ModelError(f"model {self.path}, on the processor: {wrong}") from error
            self.invoke_direct()

    def recover(self, stop: threading.Event | None = None) -> None:
        """Make good for ``EngineLostError``, which a network in this process never raises."""

    def timed(self) -> tuple[int, int]:
        """``invoke_direct``, and when it began and ended: CLOCK_BOOTTIME in ns."""
        began_ns = now_ns()
        self.invoke_direct()
        return began_ns, now_ns()

    @property
    def operators(self) -> dict[str, int]:
        """Names of the network's operators, each with its number."""
        names = self._processor.interpreter.names
        return dict(names + Counter({"QUANTIZE": int(self._casts)}))

    @property
    def placement(self) -> Placement:
        """Who runs which operators now."""
        return self._placement or self._runner.placement

    def give_up_accelerator(self, reason: str) -> bool:
        """Go on on the processor, which every header says; False where it runs there already.

        Raises:
            ModelError: the accelerator is required.
        """
        if self._runner is self._processor:
            return False
        if self._required:
            raise ModelError(f"model {self.path} on {self.placement.accelerator}: {reason}")
        self._fall_back(f"{self.placement.accelerator}: {reason}")
        return True

    def asked_again(self) -> str:
        """What is wrong with its answers to the golden frames that proved it; empty for nothing.

        The arrays are left as they are.
        """
        if self.ask_again is None:
            return ""
        arrays = self.input, self.direct_input, self.output
        kept = [array.copy() for array in arrays]
        try:
            return self.ask_again()
        finally:
            for array, before in zip(arrays, kept, strict=True):
                array[...] = before

    def _accelerate(self, accelerator: Accelerator, data: bytes) -> None:
        try:
            runner = accelerated(
                accelerator, self.path, data, self.threads, self._processor, self._wiring
            )
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

    def _check_shapes(self, given: InputForm, made: OutputForm) -> None:
        """What only the loaded network tells must be what the file promised."""
        if self.input_spec.shape != given.shape:
            raise ModelError(
                f"model {self.path}: its input became {self.input_spec.shape}, expected "
                f"{given.shape}"
            )
        shape = self.output_spec.shape
        if len(shape) != (3 if made.gives_ids else 4) or min(shape) < 1:
            raise ModelError(f"model {self.path}: its output became {shape}, which is no mask")
        classes = shape[-1]
        if made.gives_ids or made.classes == classes or classes in self.labels.channel_counts:
            return
        raise ConfigError(
            f"model {self.path}: its output has {classes} classes, label set {self.labels.name} "
            f"{self.labels.class_count} classes: give the set that it was trained on with --labels"
        )

    def _announce(self) -> None:
        _log.debug("%s: %s", self.name, self.placement.describe())
        if self.placement.without_xnnpack:
            _log.warning(
                "%s: XNNPACK cannot prepare this network (%s); it runs on LiteRT's own kernels",
                self.name,
                self.placement.without_xnnpack,
            )
        elif self._is_int8 and not self.placement.on_xnnpack + self.placement.accelerated:
            _log.warning("%s: no operator of this INT8 network runs on XNNPACK: slow", self.name)

    @property
    def _is_int8(self) -> bool:
        return np.float32 not in (self.input_spec.dtype, self.output_spec.dtype)


def spec_of(tensor: GraphTensor, shape: tuple[int, ...]) -> TensorSpec:
    """A tensor whose array, without the leading 1, has this shape."""
    scale, zero_point = (tensor.scales[0], tensor.zero_points[0]) if tensor.quantised else (0.0, 0)
    return TensorSpec((1, *shape), np.dtype(tensor.dtype), scale, zero_point)


def pixel_table(given: InputForm) -> npt.NDArray[Any]:
    """``(3, 256)``: what the input holds for each byte of a pixel, channel by channel.

    float32, or uint8: the bytes of an integer input.
    """
    from roadmask.inference.pixels import plain_table

    tensor, pixels = given.tensor, given.pixels
    if tensor.dtype == "float32":
        assert pixels is not None  # else the contract has a problem
        return pixels.values()
    if pixels is None or given.own:
        return plain_table(tensor.dtype)
    return pixels.quantised(tensor.dtype, tensor.scales[0], tensor.zero_points[0])


def _plane(output: npt.NDArray[Any], made: OutputForm) -> npt.NDArray[Any]:
    """Class ids as ``(h, w)``, also where they were ``(h, w, 1)``."""
    return output[..., 0] if made.gives_ids and output.ndim == 3 else output
