"""The daemon's camera, as its configuration names it."""

from __future__ import annotations

from roadmask.daemon.config import DaemonConfig
from roadmask.sources import Source, open_source


def open_camera(config: DaemonConfig) -> Source:
    """Open the source.

    Raises:
        CaptureError, ConfigError: it cannot be.
    """
    return open_source(config.source, live=config.live or None, latency_ms=config.latency_ms)
