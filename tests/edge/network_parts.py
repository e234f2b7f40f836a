"""Small networks of known answer, written as model files operator by operator.

A network here knows a colour for each of its classes and answers the class of the nearest one: a
1 x 1 convolution whose logit is ``2 c.x - c.c``. Whoever feeds it other numbers than it was made
for, in another order, or reads its output wrongly, gets another mask.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

WIDTH, HEIGHT = 48, 32
_CELL = 4
_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "uint8": schema.TensorType.UINT8,
    "int8": schema.TensorType.INT8,
    "int16": schema.TensorType.INT16,
}
OPERATOR = schema.BuiltinOperator
Quantisation = tuple[float, int]


def colours(classes: int) -> npt.NDArray[np.int64]:
    """``(classes, 3)`` RGB: one far from the other."""
    grid = list(itertools.product((10, 60, 120, 180, 245), repeat=3))
    step = len(grid) // classes
    picked = np.array(grid[:: max(1, step)][:classes])
    assert len(np.unique(picked, axis=0)) == classes
    return picked


def picture(classes: Sequence[int], of: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Cells of these classes' colours: ``(H, W, 3)`` BGR and the class of each pixel."""
    rng = np.random.default_rng(len(classes))
    cells = rng.choice(np.array(classes), (HEIGHT // _CELL, WIDTH // _CELL))
    cells.flat[: len(classes)] = classes
    ids = cells.repeat(_CELL, 0).repeat(_CELL, 1)
    return np.ascontiguousarray(colours(of)[ids][..., ::-1].astype(np.uint8)), ids


@dataclass
class Draft:
    """A model file under construction: tensors and operators are added in order."""

    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])
    codes: list[int] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "float32",
        quantised: Quantisation | None = None,
        value: npt.NDArray[Any] | None = None,
        name: str = "",
        signature: Sequence[int] | None = None,
    ) -> int:
        """A tensor; with a value it is a constant. Returns its number."""
        made = schema.TensorT()
        made.shape, made.type = list(shape), _TYPES[dtype]
        made.name = name or f"t{len(self.tensors)}"
        made.shapeSignature = None if signature is None else list(signature)
        made.buffer = 0
        if value is not None:
            buffer = schema.BufferT()
            buffer.data = np.ascontiguousarray(value.astype(dtype)).view(np.uint8).reshape(-1)
            self.buffers.append(buffer)
            made.buffer = len(self.buffers) - 1
        if quantised is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = [float(np.float32(quantised[0]))]
            made.quantization.zeroPoint = [quantised[1]]
        self.tensors.append(made)
        return len(self.tensors) - 1

    def operator(
        self, code: int, inputs: Sequence[int], outputs: Sequence[int], options: Any = None
    ) -> int:
        """An operator; returns its first output."""
        made = schema.OperatorT()
        if code not in self.codes:
            self.codes.append(code)
        made.opcodeIndex = self.codes.index(code)
        made.inputs, made.outputs = list(inputs), list(outputs)
        if options is not None:
            made.builtinOptions = options
            kind = type(options).__name__[:-1]
            made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        self.operators.append(made)
        return outputs[0]

    def build(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The file."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [graph], self.buffers
        model.operatorCodes = []
        for code in self.codes:
            made = schema.OperatorCodeT()
            made.builtinCode, made.deprecatedBuiltinCode, made.version = code, min(code, 127), 1
            if code in (OPERATOR.QUANTIZE, OPERATOR.DEQUANTIZE, OPERATOR.SOFTMAX):
                made.version = 2
            model.operatorCodes.append(made)
        builder = flatbuffers.Builder(4096)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _exp(draft: Draft, now: int, shape: Sequence[int]) -> int:
    return draft.operator(OPERATOR.EXP, [now], [draft.tensor(shape)], schema.ExpOptionsT())


def _over_channels(draft: Draft, code: int, now: int, shape: Sequence[int]) -> int:
    options = schema.ReducerOptionsT()
    options.keepDims = True
    axis = draft.tensor((1,), "int32", value=np.array([3]))
    return draft.operator(code, [now, axis], [draft.tensor((*shape[:3], 1))], options)


def _two(draft: Draft, kind: str, a: int, b: int, shape: Sequence[int]) -> int:
    code = getattr(OPERATOR, kind.upper())
    options = getattr(schema, f"{kind.title()}OptionsT")()
    return draft.operator(code, [a, b], [draft.tensor(shape)], options)


def _constant(draft: Draft, value: float) -> int:
    return draft.tensor((1,), value=np.array([value], np.float32))


def _less_max(draft: Draft, now: int, shape: Sequence[int]) -> int:
    most = _over_channels(draft, OPERATOR.REDUCE_MAX, now, shape)
    return _two(draft, "sub", now, most, shape)


def _exp_over_sum(draft: Draft, now: int, shape: Sequence[int]) -> int:
    exp = _exp(draft, now, shape)
    return _two(draft, "div", exp, _over_channels(draft, OPERATOR.SUM, exp, shape), shape)


def _exp_by_reciprocal(draft: Draft, now: int, shape: Sequence[int]) -> int:
    exp = _exp(draft, now, shape)
    total = _over_channels(draft, OPERATOR.SUM, exp, shape)
    share = _two(draft, "div", _constant(draft, 1), total, (*shape[:3], 1))
    return _two(draft, "mul", exp, share, shape)


def _less_log_sum(draft: Draft, now: int, shape: Sequence[int]) -> int:
    total = _over_channels(draft, OPERATOR.SUM, _exp(draft, now, shape), shape)
    log = draft.operator(OPERATOR.LOG, [total], [draft.tensor((*shape[:3], 1))])
    return _two(draft, "sub", now, log, shape)


def _log_softmax(draft: Draft, now: int, shape: Sequence[int]) -> int:
    options = schema.LogSoftmaxOptionsT()
    return draft.operator(OPERATOR.LOG_SOFTMAX, [now], [draft.tensor(shape)], options)


def _logistic(draft: Draft, now: int, shape: Sequence[int], sign: float = -1) -> int:
    turned = _two(draft, "mul", now, _constant(draft, sign), shape)
    below = _two(draft, "add", _exp(draft, turned, shape), _constant(draft, 1), shape)
    return _two(draft, "div", _constant(draft, 1), below, shape)


# What somebody else's converter makes of a softmax or a sigmoid, or of neither.
WRITTEN_OUT: dict[str, Any] = {
    "exp / sum": _exp_over_sum,
    "exp / sum, less max": lambda d, t, s: _exp_over_sum(d, _less_max(d, t, s), s),
    "exp x (1 / sum)": lambda d, t, s: _exp_by_reciprocal(d, _less_max(d, t, s), s),
    "exp of log-softmax": lambda d, t, s: _exp(d, _log_softmax(d, t, s), s),
    "exp of x - log sum": lambda d, t, s: _exp(d, _less_log_sum(d, _less_max(d, t, s), s), s),
    "log-softmax": _log_softmax,
    "x - log sum": lambda d, t, s: _less_log_sum(d, _less_max(d, t, s), s),
    "1 / (1 + exp -x)": _logistic,
    "exp alone": _exp,
    "1 / (1 + exp x)": lambda d, t, s: _logistic(d, t, s, 1.0),
    "exp + 1": lambda d, t, s: _two(d, "add", _exp(d, t, s), _constant(d, 1), s),
}


@dataclass
class Net:
    """One row of the table: how a network takes pixels, and what it makes of them.

    Attributes:
        scale, offset: it was made for ``pixel * scale + offset``, R, G, B.
        classes: how many.
        input: type of the input; an integer one has ``quantised``.
        quantised: scale and zero point of the input.
        leading: scaling that the graph itself begins with: ``mul``, ``div``, ``sub`` …
        end: ``logits``, ``softmax``, ``sigmoid``, ``argmax``, ``logits+softmax`` …
        output: type of the output, ``output_quantised`` where it is of integers.
        dynamic: the input has no fixed size.
        bgr: channels of the input are B, G, R.
        extra: axis of size 1 behind an ArgMax.
        gain: of the logits, so that a softmax is sure or not.
        bad: value that replaces the logits of the left half.
    """

    scale: Sequence[float] = (1.0, 1.0, 1.0)
    offset: Sequence[float] = (0.0, 0.0, 0.0)
    classes: int = 8
    input: str = "float32"
    quantised: Quantisation | None = None
    leading: tuple[float, float] | None = None
    end: str = "logits"
    output: str = "float32"
    output_quantised: Quantisation | None = None
    dynamic: bool = False
    bgr: bool = False
    extra: bool = False
    gain: float = 1.0
    transposed: bool = False
    one_class: int | None = None

    def build(self) -> bytes:
        """The file's bytes."""
        draft = Draft()
        shape = (1, HEIGHT, WIDTH, 3)
        given = draft.tensor(
            (1, 1, 1, 3) if self.dynamic else shape, self.input, self.quantised, name="picture",
            signature=(1, -1, -1, 3) if self.dynamic else None,
        )  # fmt: skip
        now = given
        if self.input != "float32":
            now = draft.operator(OPERATOR.DEQUANTIZE, [now], [draft.tensor(shape)])
        if self.leading is not None:
            now = self._lead(draft, now, shape)
        now = self._logits(draft, now)
        now = self._end(draft, now)
        return draft.build([given], [now])

    def _lead(self, draft: Draft, now: int, shape: Sequence[int]) -> int:
        assert self.leading is not None
        factor, shift = (np.array([value], np.float32) for value in self.leading)
        by = draft.tensor((1,), value=factor)
        now = draft.operator(OPERATOR.MUL, [now, by], [draft.tensor(shape)], schema.MulOptionsT())
        more = draft.tensor((1,), value=shift)
        return draft.operator(
            OPERATOR.ADD, [now, more], [draft.tensor(shape)], schema.AddOptionsT()
        )

    def seen(self) -> npt.NDArray[np.float64]:
        """``(classes, 3)``: each class's colour as the network knows it."""
        known = colours(self.classes) * np.array(self.scale) + np.array(self.offset)
        return known[:, ::-1] if self.bgr else known

    def _logits(self, draft: Draft, now: int) -> int:
        known = self.seen()
        if self.leading is not None:
            known = known * self.leading[0] + self.leading[1]
        # In units in which the colours are about 20 apart.
        unit = 4000 * self.gain / max(np.ptp(known) ** 2, 1e-9)
        weights, bias = 2 * known * unit, -(known**2).sum(1) * unit
        if self.one_class is not None:
            weights, bias = weights[self.one_class], bias[self.one_class]
            weights, bias = weights[None], bias[None] + self._threshold(known, unit)
        count = len(weights)
        kernel = draft.tensor((count, 1, 1, 3), value=weights.reshape(count, 1, 1, 3))
        added = draft.tensor((count,), value=bias)
        options = schema.Conv2DOptionsT()
        options.padding, options.strideH, options.strideW = schema.Padding.VALID, 1, 1
        options.dilationHFactor = options.dilationWFactor = 1
        made = draft.tensor((1, HEIGHT, WIDTH, count), signature=self._signature(count))
        return draft.operator(OPERATOR.CONV_2D, [now, kernel, added], [made], options)

    def _threshold(self, known: npt.NDArray[np.float64], unit: float) -> float:
        own = known[self.one_class] if self.one_class is not None else known[0]
        logits = [(2 * own @ c - own @ own) * unit for c in known]
        best = (2 * own @ own - own @ own) * unit
        others = max(value for value, c in zip(logits, known, strict=True) if (c != own).any())
        return -(best + others) / 2

    def _signature(self, channels: int) -> Sequence[int] | None:
        return (1, -1, -1, channels) if self.dynamic else None

    def _end(self, draft: Draft, now: int) -> int:
        count = 1 if self.one_class is not None else self.classes
        full = (1, HEIGHT, WIDTH, count)
        if self.end == "softmax":
            options = schema.SoftmaxOptionsT()
            options.beta = 1.0
            now = draft.operator(OPERATOR.SOFTMAX, [now], [draft.tensor(full)], options)
        if self.end == "sigmoid":
            now = draft.operator(OPERATOR.LOGISTIC, [now], [draft.tensor(full)])
        if self.end in WRITTEN_OUT:
            now = WRITTEN_OUT[self.end](draft, now, full)
        if self.end == "argmax":
            return self._argmax(draft, now)
        if self.transposed:
            order = draft.tensor((4,), "int32", value=np.array([0, 3, 1, 2]))
            full = (1, count, HEIGHT, WIDTH)
            now = draft.operator(
                OPERATOR.TRANSPOSE, [now, order], [draft.tensor(full)], schema.TransposeOptionsT()
            )
        if self.output != "float32":
            made = draft.tensor(full, self.output, self.output_quantised)
            now = draft.operator(OPERATOR.QUANTIZE, [now], [made])
        return now

    def _argmax(self, draft: Draft, now: int) -> int:
        axis = draft.tensor((1,), "int32", value=np.array([-1]))
        options = schema.ArgMaxOptionsT()
        options.outputType = _TYPES[self.output]
        made = draft.tensor((1, HEIGHT, WIDTH), self.output)
        now = draft.operator(OPERATOR.ARG_MAX, [now, axis], [made], options)
        if self.extra:
            where = draft.tensor((1,), "int32", value=np.array([3]))
            made = draft.tensor((1, HEIGHT, WIDTH, 1), self.output)
            now = draft.operator(
                OPERATOR.EXPAND_DIMS, [now, where], [made], schema.ExpandDimsOptionsT()
            )
        return now


def constant_output(
    value: npt.NDArray[Any], quantised: Quantisation | None = None, name: str = "out"
) -> bytes:
    """A network that answers ``value`` ``(1, h, w, …)`` to every picture of uint8."""
    draft = Draft()
    given = draft.tensor((1, HEIGHT, WIDTH, 3), "uint8", (1 / 255, 0), name="picture")
    kept = draft.tensor(value.shape, str(value.dtype), quantised, value=value)
    made = draft.tensor(value.shape, str(value.dtype), quantised, name=name)
    shape = draft.tensor((len(value.shape),), "int32", value=np.array(value.shape))
    draft.operator(OPERATOR.RESHAPE, [kept, shape], [made], schema.ReshapeOptionsT())
    return draft.build([given], [made])
