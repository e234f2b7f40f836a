"""LiteRT, under whichever name it is installed: interpreters, and who runs which operator."""

from __future__ import annotations

import ctypes
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from roadmask.errors import ModelError, first_line
from roadmask.system.terminal import quiet

# First that imports wins: LiteRT, its predecessor, TensorFlow's own interpreter.
_RUNTIMES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
    ("tensorflow.lite.python.interpreter", "tensorflow"),
)
_DELEGATE = "DELEGATE"  # operator name of a part of the graph that a delegate took


def runtime() -> tuple[ModuleType, str]:
    """The runtime's interpreter module and the package that it is from.

    Raises:
        ModelError: none is installed.
    """
    for module_name, package in _RUNTIMES:
        try:
            return import_module(module_name), package
        except ImportError:
            continue
    packages = ", ".join(package for _, package in _RUNTIMES)
    raise ModelError(f"no TensorFlow Lite runtime is installed: install one of {packages}")


class Interpreter:
    """One interpreter with its tensors allocated.

    Args:
        path: of the model, for messages.
        data: its bytes.
        threads: of the kernels.
        delegate: a loaded delegate, asked before XNNPACK.
        shape: of the input, where the model leaves it open.

    Raises:
        ModelError: the runtime cannot load the model, or the delegate fails on it.

    Attributes:
        package: that the runtime is from.
        without_xnnpack: why XNNPACK was left out, which could not prepare the network; empty.
        names: of the operators, with their number.
        operators: of the model.
        delegated: of them, those that the delegate runs.
        on_xnnpack: of them, those that XNNPACK runs.
        partitions: connected parts that the delegates run.
    """

    def __init__(
        self,
        path: Path,
        data: bytes,
        threads: int,
        delegate: Any = None,
        shape: tuple[int, ...] = (),
    ) -> None:
        module, self.package = runtime()
        options: dict[str, Any] = {"model_content": data, "num_threads": threads}
        self.without_xnnpack = ""
        try:
            if delegate is None:
                self._load(module, options, shape)
            else:
                self._load(module, options | {"experimental_delegates": [delegate]}, shape)
        except (ValueError, RuntimeError) as error:
            refusal = f"model {path} cannot be loaded by {self.package}: {first_line(error)}"
            kinds = getattr(module, "OpResolverType", None)
            if delegate is not None or kinds is None:
                raise ModelError(refusal) from error
            options["experimental_op_resolver_type"] = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            try:
                self._load(module, options, shape)
            except (ValueError, RuntimeError):
                raise ModelError(refusal) from error
            self.without_xnnpack = first_line(error)
        before = self._before
        after = self._interpreter._get_ops_details()
        self.operators = sum(node["op_name"] != _DELEGATE for node in after)
        self.delegated = _taken(after, before)
        self.on_xnnpack = _taken(after, after[len(before) :])
        self.partitions = len(after) - self.operators
        self.names = Counter(str(node["op_name"]) for node in before)
        self.inputs = self._interpreter.get_input_details()
        self.outputs = self._interpreter.get_output_details()

    def _load(self, module: ModuleType, options: dict[str, Any], shape: tuple[int, ...]) -> None:
        with quiet():  # LiteRT announces its delegate on standard error
            self._interpreter = module.Interpreter(**options)
            if shape:
                index = self._interpreter.get_input_details()[0]["index"]
                self._interpreter.resize_tensor_input(index, shape)
            self._before = self._interpreter._get_ops_details()
            self._interpreter.allocate_tensors()

    def invoke(self) -> None:
        """Run the network.

        Raises:
            RuntimeError: an operator, or the delegate, failed.
        """
        self._interpreter.invoke()

    def copy(self, details: dict[str, Any]) -> npt.NDArray[Any]:
        """A copy of a tensor, which may lie elsewhere, in another shape, after each ``invoke``.

        Raises:
            RuntimeError: it has no memory before ``invoke``.
        """
        try:
            array: npt.NDArray[Any] = self._interpreter.get_tensor(details["index"])
        except ValueError as error:
            raise RuntimeError(str(error)) from error
        return array

    def placed(self, details: dict[str, Any]) -> bool:
        """Whether a tensor has its place and its shape from ``allocate`` on."""
        try:
            self._interpreter.tensor(details["index"])()
        except (ValueError, RuntimeError):
            return False
        return min(details.get("shape_signature", details["shape"]), default=1) > 0

    def view(self, details: dict[str, Any]) -> npt.NDArray[Any]:
        """A tensor's own memory, as an array that keeps the interpreter alive."""
        # An array that LiteRT hands out counts as a reference and makes invoke() refuse. Tensors
        # keep their place once allocated, so a view by address is safe while the interpreter lives.
        address = self._interpreter.tensor(details["index"])().__array_interface__["data"][0]
        shape, dtype = tuple(int(n) for n in details["shape"]), np.dtype(details["dtype"])
        memory = (ctypes.c_uint8 * (int(np.prod(shape)) * dtype.itemsize)).from_address(address)
        memory.owner = self._interpreter  # type: ignore[attr-defined]
        array: npt.NDArray[Any] = np.ndarray(shape, dtype, memoryview(memory))
        return array


def _taken(nodes: list[dict[str, Any]], among: list[dict[str, Any]]) -> int:
    """How many operators the delegates' nodes in ``among`` replace.

    LiteRT does not list them, but the graph tells: those between the node's inputs and outputs.
    """
    makers = {
        tensor: node for node in nodes if node["op_name"] != _DELEGATE for tensor in node["outputs"]
    }
    taken: set[int] = set()
    for part in among:
        if part["op_name"] != _DELEGATE:
            continue
        border = set(part["inputs"])
        wanted = list(part["outputs"])
        while wanted:
            node = makers.get(wanted.pop())
            if node is not None and node["index"] not in taken:
                taken.add(node["index"])
                wanted += [t for t in node["inputs"] if t not in border]
    return len(taken)
