"""What the network's process is told to load."""

from __future__ import annotations

from dataclasses import dataclass

from roadmask.inference.accelerator import Accelerator
from roadmask.inference.reading.read_as import AS_IT_SAYS, ReadAs
from roadmask.labels.label_set import LabelSet


@dataclass(frozen=True)
class EngineOrder:
    """What the process is to load, and how it is to run."""

    model: str
    threads: int = 1
    labels: str | LabelSet | None = None
    accelerator: Accelerator = Accelerator()  # noqa: RUF009 (frozen)
    cores: frozenset[int] = frozenset()
    realtime: int = 0
    lock_memory: bool = False
    read_as: ReadAs = AS_IT_SAYS
    direct: bool = True  # the tensor is what the network itself reads, see ``Engine.direct_input``
