"""SIGHUP: the settings are read again; what can change does, the rest is named."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable

from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.contradictions import refuse_contradictions
from roadmask.errors import RoadmaskError

_log = logging.getLogger(__name__)
# What a running daemon takes over; all else needs a restart.
LIVE = ("log_level", "max_fps", "scene", "model", "budget_ms")


class Reload:
    """Reads the settings again when it was asked to.

    Args:
        read: gives the settings as they stand now.

    Attributes:
        wanted: set it, from a signal's handler too; ``apply`` is due.
    """

    def __init__(self, read: Callable[[], DaemonConfig] | None = None) -> None:
        self._read = read
        self.wanted = threading.Event()

    def apply(
        self, before: DaemonConfig, change: Callable[[DaemonConfig, set[str]], None]
    ) -> DaemonConfig:
        """Read them, and have what can change changed.

        Args:
            before: the settings so far.
            change: is given the new ones and the names of those that changed.

        Returns:
            The settings from now on: ``before`` where they cannot be read.
        """
        self.wanted.clear()
        if self._read is None:
            return before
        try:
            given = self._read()
            names = {
                each.name
                for each in dataclasses.fields(DaemonConfig)
                if getattr(given, each.name) != getattr(before, each.name)
            }
            live, rest = sorted(names & set(LIVE)), sorted(names - set(LIVE))
            after = dataclasses.replace(before, **{name: getattr(given, name) for name in live})
            refuse_contradictions(after)
        except RoadmaskError as error:
            _log.error("reload: %s; all stays as it was", error)
            return before
        if live:
            change(after, set(live))
        if rest:
            _log.warning("reload: %s: only after a restart", ", ".join(rest))
        _log.info("reload: %s", ", ".join(live) + " changed" if live else "nothing changed")
        return after
