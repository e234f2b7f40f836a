"""What the network's process of a daemon is to load; light, for it is asked first of all."""

from __future__ import annotations

import os
from pathlib import Path

from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.contradictions import accelerator_of
from roadmask.inference.engine_order import EngineOrder
from roadmask.inference.reading.read_as import ReadAs
from roadmask.system.scheduling import parse_cores


def resolved_model(model: str) -> str:
    """A link to a model followed: an engine that is started anew loads the same file again."""
    return os.path.realpath(model) if Path(model).is_file() else model


def order_of(config: DaemonConfig) -> EngineOrder:
    """The order of a configuration.

    Raises:
        ConfigError: of options that do not go together.
    """
    return EngineOrder(
        resolved_model(config.model),
        config.threads,
        config.labels or None,
        accelerator_of(config),
        parse_cores(config.cores),
        config.realtime,
        config.lock_memory,
        ReadAs(config.input_range, config.channels, config.size, config.output),
    )
