"""The output: which one, values for each class or class ids, and of how many classes."""

from __future__ import annotations

from dataclasses import dataclass

from roadmask.inference.reading.ends import ARGMAX, ending
from roadmask.inference.reading.graph import Graph, GraphTensor
from roadmask.inference.reading.problem import UnsettledError
from roadmask.inference.reading.written_out import UNKNOWN
from roadmask.labels.label_set import LabelSet

_OUTPUT, _LABELS = "--output", "--labels"
_ID_TYPES = ("int32", "int64", "uint8")


@dataclass(frozen=True)
class OutputForm:
    """The output tensor and what is in it.

    Attributes:
        index: its number among the outputs.
        tensor: as the file tells it.
        ends_in: ``logits``, ``softmax``, ``sigmoid`` or ``argmax``.
        classes: how many, None where the file does not tell.
    """

    index: int
    tensor: GraphTensor
    ends_in: str
    classes: int | None

    @property
    def gives_ids(self) -> bool:
        """Class ids in place of a value for each class."""
        return self.ends_in == ARGMAX


def read_output(graph: Graph, wanted: str, labels: LabelSet | None) -> OutputForm:
    """The output that the command names, the only one, or the only one that can be a mask.

    Raises:
        UnsettledError: none is, or several are.
    """
    index = _named(graph, wanted) if wanted else _only(graph, labels)
    form = _form(graph, index)
    if isinstance(form, str):
        raise UnsettledError(form)
    if labels is not None and (misfit := _misfit(form, labels)):
        raise UnsettledError(misfit, _LABELS)
    return form


def _named(graph: Graph, wanted: str) -> int:
    names = [graph.tensors[tensor].name for tensor in graph.outputs]
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    raise UnsettledError(f"{_OUTPUT} {wanted}: it has {_listed(graph)}", _OUTPUT)


def _only(graph: Graph, labels: LabelSet | None) -> int:
    count = len(graph.outputs)
    if count == 1:
        return 0
    forms = {i: form for i in range(count) if not isinstance(form := _form(graph, i), str)}
    fitting = [i for i, form in forms.items() if labels is None or not _misfit(form, labels)]
    if len(fitting) == 1:
        return fitting[0]
    raise UnsettledError(
        f"it has {count} outputs, {_listed(graph)}: give {_OUTPUT} NAME, or its number", _OUTPUT
    )


def _listed(graph: Graph) -> str:
    shown = []
    for number, index in enumerate(graph.outputs):
        tensor = graph.tensors[index]
        shown.append(f"{number} {tensor.name} ({_shape(tensor)} {tensor.dtype})")
    return "; ".join(shown) or "no outputs"


def _shape(tensor: GraphTensor) -> str:
    return " x ".join("?" if side < 1 else str(side) for side in tensor.signature)


def _form(graph: Graph, index: int) -> OutputForm | str:
    """An output as a mask, or why it is none."""
    tensor = graph.tensors[graph.outputs[index]]
    ends_in, classes = ending(graph, graph.outputs[index])
    shape, shown = tensor.signature, f"its output is {_shape(tensor)} {tensor.dtype}"
    rank, one = len(shape), len(shape) == 4 and shape[3] == 1
    if rank not in (3, 4) or shape[0] not in (1, -1):
        return f"{shown}; expected values (1 x h x w x classes) or class ids (1 x h x w)"
    ids = ends_in == ARGMAX or (
        tensor.dtype in _ID_TYPES and not tensor.scales and (rank == 3 or one)
    )
    if ids and (rank == 3 or one):
        if tensor.dtype not in _ID_TYPES:
            return f"{shown} with class ids; expected them as {', '.join(_ID_TYPES)}"
        return OutputForm(index, tensor, ARGMAX, classes)
    if rank == 3 or ids:
        return f"{shown}; expected values (1 x h x w x classes) or class ids (1 x h x w)"
    if tensor.dtype not in ("int8", "uint8", "float32"):
        return f"{shown}; expected values as int8, uint8 or float32"
    if tensor.dtype != "float32" and not tensor.quantised:
        return f"{shown} without a scale that can be used: convert it anew"
    if ends_in == UNKNOWN:
        return (
            f"{shown} of an exponential that is neither softmax nor sigmoid, so how sure it is "
            "cannot be told; expected logits, SOFTMAX or LOGISTIC: end the network in one of them"
        )
    return OutputForm(index, tensor, ends_in, shape[3] if shape[3] > 0 else None)


def _misfit(form: OutputForm, labels: LabelSet) -> str:
    """Why the output is not of this label set; empty where it can be."""
    classes, shape = form.classes, form.tensor.signature
    if classes is None or classes in labels.channel_counts:
        return ""
    if not form.gives_ids and classes == 1 and labels.class_count <= 2:
        return ""  # one class by a threshold
    kind = "is an ArgMax over" if form.gives_ids else "has"
    text = (
        f"its output {kind} {classes} classes, label set {labels.name} {labels.class_count} classes"
    )
    if not form.gives_ids and shape[1] in labels.channel_counts:
        shown = _shape(form.tensor)
        return f"{text}: its channels come first ({shown}); convert it with channels last"
    return f"{text}: give the set that it was trained on with {_LABELS}"
