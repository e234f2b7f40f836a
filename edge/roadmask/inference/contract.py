"""What decides a pixel, read from a model file that somebody else made: handled or refused.

Asked in this order: the command, the file's own ROADMASK block, TensorFlow Lite's standard
metadata, the graph itself. What stays unknown, or does not fit, is a problem that names the option
which would settle it; the engine runs nothing that has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from roadmask.errors import ConfigError, ModelError
from roadmask.inference.model_file import ModelInfo, read_metadata
from roadmask.inference.reading.graph import Graph, read_graph
from roadmask.inference.reading.input import InputForm, read_input
from roadmask.inference.reading.labels import read_labels
from roadmask.inference.reading.output import OutputForm, read_output
from roadmask.inference.reading.problem import Problem, UnsettledError
from roadmask.inference.reading.read_as import AS_IT_SAYS, ReadAs
from roadmask.inference.reading.standard import read_standard
from roadmask.labels.label_set import LabelSet

Part = TypeVar("Part")


@dataclass(frozen=True)
class Contract:
    """What a file was found to be; a part is None where a problem stands against it."""

    graph: Graph
    info: ModelInfo | None
    input: InputForm | None
    output: OutputForm | None
    labels: LabelSet | None
    problems: tuple[Problem, ...]

    @property
    def unknown(self) -> list[str]:
        """The options that would settle what is not known, or does not fit."""
        return list(dict.fromkeys(p.option for p in self.problems if p.option))

    def settled(self, path: Path) -> tuple[InputForm, OutputForm, LabelSet]:
        """The parts of a network that can be run.

        Raises:
            ConfigError: an option would settle why it cannot.
            ModelError: none would.
        """
        if self.problems:
            first = self.problems[0]
            raise (ConfigError if first.option else ModelError)(f"model {path}: {first.text}")
        assert self.input is not None and self.output is not None and self.labels is not None
        return self.input, self.output, self.labels


def read_contract(
    data: bytes, labels: str | LabelSet | None = None, read_as: ReadAs = AS_IT_SAYS
) -> Contract:
    """The contract of a model file's bytes.

    Args:
        data: the file.
        labels: label set of the output, over what the file says.
        read_as: the rest of what the command says.

    Raises:
        ModelError: the file is damaged.
        ConfigError: an option that cannot be read.
    """
    graph, info, standard = read_graph(data), read_metadata(data), read_standard(data)
    problems: list[Problem] = []

    def part(read: Callable[[], Part]) -> Part | None:
        try:
            return read()
        except UnsettledError as error:
            problems.append(error.problem)
            return None

    given = part(lambda: read_input(graph, info, standard, read_as))
    found = part(lambda: read_labels(labels, info, standard))
    made = part(lambda: read_output(graph, read_as.output, found))
    return Contract(graph, info, given, made, found, tuple(problems))
