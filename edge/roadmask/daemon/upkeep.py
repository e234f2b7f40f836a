"""What a running daemon sees to beside the frames: other settings, another model."""

from __future__ import annotations

import logging
import threading

from roadmask.daemon.capture import CaptureThread
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.health import Health
from roadmask.daemon.outlet import period_ns
from roadmask.daemon.reload import Reload
from roadmask.daemon.scene import SceneCheck
from roadmask.daemon.swap import Swap
from roadmask.system.service_manager import ServiceManager

_LOOK_S = 1.0  # between two looks where the model's path leads


class Changes:
    """What other settings change in a running daemon; the network itself is ``Swap``'s."""

    def __init__(
        self,
        swap: Swap,
        capture: CaptureThread,
        scene: SceneCheck,
        health: Health,
        manager: ServiceManager,
    ) -> None:
        self._swap, self._capture = swap, capture
        self._scene, self._health, self._manager = scene, health, manager

    def make(self, reload: Reload) -> None:
        """Have ``reload`` read the settings, and change what it can."""
        self._manager.reloading()
        self._swap.config = reload.apply(self._swap.config, self._change)
        self._manager.ready("masks")

    def look(self, stop: threading.Event) -> None:
        """Whether another model is meant now."""
        self._swap.look(stop)

    def _change(self, config: DaemonConfig, names: set[str]) -> None:
        if "log_level" in names:
            logging.getLogger().setLevel(config.log_level.upper())
        if "scene" in names:
            self._scene.use(config.scene)
        if "max_fps" in names:
            source = self._capture.source
            self._capture.limit(config.max_fps)
            self._health.expect(period_ns(config, source) if source.realtime else 0)


class Upkeep:
    """Sees to it in a thread of its own; a context manager."""

    def __init__(self, reload: Reload, changes: Changes) -> None:
        self._reload, self._changes = reload, changes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def __enter__(self) -> Upkeep:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._reload.wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            wanted = self._reload.wanted.wait(_LOOK_S)
            if self._stop.is_set():
                return
            if wanted:
                self._changes.make(self._reload)
            self._changes.look(self._stop)
