"""How far a run has come: the part of a checkpoint that is not arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from roadmask.errors import ConfigError
from train.loop.checkpoint import read_progress
from train.runs.environment import environment
from train.schedules import Plateau


@dataclass
class Progress:
    """Plain numbers, lists and tables.

    Attributes:
        epoch: epochs that are whole.
        step: steps done of the epoch under way.
        loss_sum: their losses, each times its ``samples``.
        samples: the samples of these steps.
        rate_factor: what plateaus have left of the learning rate.
        plateau: the score that the plateau schedule follows.
        best: the score that early stopping follows.
        stopped_early: the patience has run out.
        finished: the finished network is written.
        category_shares: of the pixels of the first data set, categories 1–7.
        scores: of the last validation, or of the best where early stopping is on.
        seconds: time spent, summed over resumptions; work that a kill undid is not counted.
        cpu_seconds: the same in processor time, all cores together.
        history: a row an epoch.
        sessions: environment of each start, with the epochs that it began in.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    samples: int = 0
    rate_factor: float = 1.0
    plateau: Plateau = field(default_factory=Plateau)
    best: Plateau = field(default_factory=Plateau)
    stopped_early: bool = False
    finished: bool = False
    category_shares: list[float] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def restore(cls, checkpoint: Path, identity: dict[str, Any]) -> Progress:
        """Progress of the checkpoint, or a beginner's if there is none.

        Raises:
            ConfigError: the checkpoint is of a run with another configuration or other data.
            DataError: it is damaged.
        """
        if not checkpoint.is_file():
            return cls()
        state = read_progress(checkpoint)
        _compare(state.pop("identity"), identity, checkpoint)
        for name in ("plateau", "best"):
            state[name] = Plateau(**state[name])
        return cls(**state)

    @property
    def mean_loss(self) -> float:
        """Of the epoch under way; 0 before its first step."""
        return self.loss_sum / self.samples if self.samples else 0.0

    def class_weights(self) -> list[float]:
        """ENet's (Paszke et al., 2016): rare categories count up to about four times as much."""
        shares = np.array(self.category_shares)
        weights = 1 / np.log(1.10 + shares / shares.sum())
        return [float(w) for w in weights / weights.mean()]

    def end_epoch(self, row: dict[str, float]) -> None:
        """Note the epoch that is done, and begin the next."""
        self.history.append(row)
        self.epoch += 1
        self.step, self.loss_sum, self.samples = 0, 0.0, 0

    def begin_session(self) -> None:
        """Note the environment; equal ones in a row share an entry."""
        now = environment()
        last = self.sessions[-1] if self.sessions else None
        if last is None or last["environment"] != now:
            self.sessions.append({"environment": now, "started_in_epochs": []})
        self.sessions[-1]["started_in_epochs"].append(self.epoch + 1)

    def add_time(self, seconds: float, cpu_seconds: float) -> None:
        """Add what was spent since the last call."""
        self.seconds += seconds
        self.cpu_seconds += cpu_seconds


def _compare(stored: dict[str, Any], wanted: dict[str, Any], checkpoint: Path) -> None:
    """Say what differs; a setting that the stored run did not know yet has its default."""
    wanted = json.loads(json.dumps(wanted))
    pairs = [("data", stored["data"], wanted["data"])]
    pairs += [
        (name, stored["config"].get(name, value), value) for name, value in wanted["config"].items()
    ]
    for name, before, now in pairs:
        if before != now:
            raise ConfigError(
                f"{checkpoint.parent} holds a run with another configuration ({name}: {before}, "
                f"now {now}): give the same arguments to resume it, or another --out"
            )
