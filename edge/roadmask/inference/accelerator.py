"""Where the network runs: on the processor, on a delegate's accelerator or on the GPU.

An accelerator that is missing, or that takes nothing of the network, is never passed over in
silence: the processor takes over, and every header says CPU_FALLBACK.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from roadmask.errors import ConfigError, ModelError, first_line
from roadmask.inference.litert import Interpreter, runtime
from roadmask.system.terminal import quiet


@dataclass(frozen=True)
class Accelerator:
    """What is asked for.

    Attributes:
        delegate: shared library of a TensorFlow Lite delegate, a path or a name that the loader
            finds.
        options: ``KEY=VALUE`` for the delegate.
        gpu: the GPU, through LiteRT's CompiledModel.
        required: no network without it.
    """

    delegate: str = ""
    options: tuple[str, ...] = ()
    gpu: bool = False
    required: bool = False

    def __post_init__(self) -> None:
        if self.delegate and self.gpu:
            raise ConfigError(f"--delegate {self.delegate} and --gpu: give one of them")
        if self.options and not self.delegate:
            raise ConfigError("--delegate-option: give the --delegate that it is for")
        if self.required and not self.name:
            raise ConfigError("--delegate-required: give the --delegate, or --gpu")
        for option in self.options:
            if not option.partition("=")[0] or "=" not in option:
                raise ConfigError(f"--delegate-option {option!r}: expected KEY=VALUE")

    @property
    def name(self) -> str:
        """Of the accelerator; empty for none."""
        return "gpu" if self.gpu else Path(self.delegate).name if self.delegate else ""


@dataclass(frozen=True)
class Placement:
    """Who runs the network's operators, as the runtime's own graph tells.

    Attributes:
        accelerator: name of what was asked for; empty for the processor.
        operators: of the model.
        accelerated: of them, on the accelerator.
        on_xnnpack: of them, on the processor by XNNPACK.
        partitions: connected parts that delegates run.
        fallback: why the processor took over; empty while it did not.
        without_xnnpack: why XNNPACK was left out, which could not prepare the network; empty.
    """

    accelerator: str
    operators: int
    accelerated: int
    on_xnnpack: int
    partitions: int
    fallback: str = ""
    without_xnnpack: str = ""

    @property
    def latency_class(self) -> str:
        """Results of one class may be compared: ``cpu``, the accelerator or ``cpu-fallback``."""
        return "cpu-fallback" if self.fallback else self.accelerator or "cpu"

    def describe(self) -> str:
        """One line."""
        own = self.operators - self.accelerated - self.on_xnnpack
        parts = [f"{self.on_xnnpack} on XNNPACK", f"{own} on LiteRT's own kernels"]
        if self.accelerator:
            parts.insert(0, f"{self.accelerated} on {self.accelerator}")
        plural = "" if self.partitions == 1 else "s"
        text = f"{self.operators} operators: {', '.join(parts)}; "
        text += f"{self.partitions} delegated part{plural}"
        if self.without_xnnpack:
            text += f"; XNNPACK left out, it cannot prepare this network: {self.without_xnnpack}"
        return f"{text}; CPU fallback: {self.fallback}" if self.fallback else text


class Wiring(NamedTuple):
    """What to take of a network.

    Attributes:
        output: number of the output.
        input_shape: of an input that the model leaves open; empty where it does not.
    """

    output: int = 0
    input_shape: tuple[int, ...] = ()


PLAIN = Wiring()


class Runner(Protocol):
    """A loaded network with its input and output arrays."""

    input: npt.NDArray[Any]
    output: npt.NDArray[Any]
    placement: Placement

    def invoke(self) -> None:
        """Run the network on what ``input`` holds."""


class InterpreterRunner:
    """On the processor, or on a delegate; the arrays are the interpreter's own memory.

    An output whose size only the running network knows is a copy.

    Args:
        path, data: the model.
        threads: of the kernels.
        wiring: what to take of it.
        name, delegate: of the accelerator.

    Raises:
        ModelError: it cannot be loaded, or run to see what it gives.
    """

    def __init__(
        self,
        path: Path,
        data: bytes,
        threads: int,
        wiring: Wiring = PLAIN,
        name: str = "",
        delegate: Any = None,
    ) -> None:
        self.interpreter = Interpreter(path, data, threads, delegate, wiring.input_shape)
        self.input = self.interpreter.view(self.interpreter.inputs[0])[0]
        self._made = self.interpreter.outputs[wiring.output]
        self._moving = not self.interpreter.placed(self._made)
        if self._moving:
            self.input[...] = 0
            try:
                self.interpreter.invoke()
                self.output = self.interpreter.copy(self._made)[0]
            except RuntimeError as error:
                raise ModelError(f"model {path} cannot be run: {first_line(error)}") from error
        else:
            self.output = self.interpreter.view(self._made)[0]
        self.placement = Placement(
            name,
            self.interpreter.operators,
            self.interpreter.delegated,
            self.interpreter.on_xnnpack,
            self.interpreter.partitions,
            without_xnnpack=self.interpreter.without_xnnpack,
        )

    def invoke(self) -> None:
        """Run the network on what ``input`` holds.

        Raises:
            RuntimeError: it failed, or gave another shape than before.
        """
        self.interpreter.invoke()
        if self._moving:
            made = self.interpreter.copy(self._made)
            if made.shape != (1, *self.output.shape):
                raise RuntimeError(f"its output became {made.shape}")
            self.output[...] = made[0]


class CompiledRunner:
    """On the GPU (or, for tests, the processor) by LiteRT's CompiledModel.

    Raises:
        RuntimeError, ImportError: no such accelerator, or no such LiteRT.
    """

    def __init__(
        self,
        data: bytes,
        like: InterpreterRunner,
        accelerator: str = "GPU",
        wiring: Wiring = PLAIN,
    ) -> None:
        if wiring.input_shape:
            raise ValueError("a network whose input has no fixed size")
        if wiring.output or len(like.interpreter.outputs) > 1:
            raise ValueError("a network of several outputs")
        models = import_module("ai_edge_litert.compiled_model")
        kinds = import_module("ai_edge_litert.hardware_accelerator").HardwareAccelerator
        with quiet():
            self._model = models.CompiledModel.from_buffer(
                data, hardware_accel=getattr(kinds, accelerator)
            )
            self._inputs = self._model.create_input_buffers(0)
            self._outputs = self._model.create_output_buffers(0)
        self.input, self.output = np.zeros_like(like.input), np.zeros_like(like.output)
        full = bool(self._model.is_fully_accelerated())
        operators = like.placement.operators
        # Not fully: how many it took, this API does not tell; at least one stayed behind.
        self.placement = Placement(accelerator.lower(), operators, operators - (not full), 0, 1)

    def invoke(self) -> None:
        """Run the network on what ``input`` holds."""
        self._inputs[0].write(self.input)
        self._model.run_by_index(0, self._inputs, self._outputs)
        flat = self._outputs[0].read(self.output.size, self.output.dtype.type)
        self.output[...] = flat.reshape(self.output.shape)


def accelerated(
    accelerator: Accelerator,
    path: Path,
    data: bytes,
    threads: int,
    like: InterpreterRunner,
    wiring: Wiring = PLAIN,
) -> Runner:
    """The network on the accelerator.

    Args:
        accelerator: which.
        path, data: the model.
        threads: for what stays on the processor.
        like: the same network on the processor.
        wiring: what to take of it.

    Raises:
        ModelError: why it cannot run there.
    """
    if accelerator.gpu:
        try:
            return CompiledRunner(data, like, wiring=wiring)
        except (ImportError, RuntimeError, ValueError) as error:
            lines = [line.strip("└ ") for line in str(error).splitlines() if line.strip()]
            reason = lines[-1] if lines else type(error).__name__
            raise ModelError(f"LiteRT has no GPU here ({reason})") from error
    delegate = _load_delegate(accelerator)
    runner = InterpreterRunner(path, data, threads, wiring, accelerator.name, delegate)
    if not runner.placement.accelerated:
        raise ModelError(
            f"delegate {accelerator.name} took none of the {runner.placement.operators} operators"
        )
    return runner


def _load_delegate(accelerator: Accelerator) -> Any:
    library = accelerator.delegate
    try:
        # First without LiteRT, whose half-made delegates complain on standard error.
        ctypes.CDLL(library).tflite_plugin_create_delegate  # noqa: B018
    except OSError as error:
        raise ModelError(f"delegate {library} cannot be loaded: {error}") from error
    except AttributeError as error:
        raise ModelError(
            f"delegate {library} is no TensorFlow Lite delegate: it has no "
            "tflite_plugin_create_delegate"
        ) from error
    options = dict(option.split("=", 1) for option in accelerator.options)
    module, _ = runtime()
    try:
        return module.load_delegate(library, options)
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or "no reason given"
        raise ModelError(f"delegate {library} refused: {reason}") from error
