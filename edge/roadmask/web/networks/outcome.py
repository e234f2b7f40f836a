"""A segmentation with what the console says of the network that made it."""

from __future__ import annotations

from dataclasses import dataclass

from roadmask.inference.predictor import Segmentation


@dataclass(frozen=True)
class Outcome(Segmentation):
    """What a network made of a picture.

    Attributes:
        model: its name here.
        digest: SHA-256 of the model file, hex.
        invoke_ms: the network alone.
    """

    model: str
    digest: str
    invoke_ms: float
