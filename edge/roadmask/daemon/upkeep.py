"""What a running daemon sees to beside the frames: other settings, another model, less work."""

from __future__ import annotations

import logging
import threading

from roadmask.daemon.board_watch import BoardWatch
from roadmask.daemon.capture import CaptureThread
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.health import Health
from roadmask.daemon.outlet import period_ns
from roadmask.daemon.reload import Reload
from roadmask.daemon.scene import SceneCheck
from roadmask.daemon.step_down import StepDown
from roadmask.daemon.swap import Swap
from roadmask.system.clock import now_ns
from roadmask.system.service_manager import ServiceManager

_log = logging.getLogger(__name__)
_LOOK_S = 1.0  # between two looks where the model's path leads, and at the board


class Changes:
    """What other settings, and a board that is held back, change in a running daemon.

    The network itself is ``Swap``'s.
    """

    def __init__(
        self,
        swap: Swap,
        capture: CaptureThread,
        scene: SceneCheck,
        health: Health,
        manager: ServiceManager,
        board: BoardWatch,
    ) -> None:
        self._swap, self._capture = swap, capture
        self._scene, self._health, self._manager = scene, health, manager
        self._board, self._configured, source = board, swap.config, capture.source
        self._steps = StepDown(swap.config, source.fps if source.realtime else 0)

    def make(self, reload: Reload) -> None:
        """Have ``reload`` read the settings, and change what it can."""
        self._manager.reloading()
        self._configured = reload.apply(self._configured, self._change)
        self._settle()
        self._manager.ready("masks")

    def look(self, stop: threading.Event) -> None:
        """Whether the board is held back, and whether another model is meant now."""
        if self._steps.look(bool(self._board.reasons), now_ns()):
            self._settle()
            self._tell()
        self._swap.look(stop)

    def _change(self, config: DaemonConfig, names: set[str]) -> None:
        if "log_level" in names:
            logging.getLogger().setLevel(config.log_level.upper())
        if "scene" in names:
            self._scene.use(config.scene)

    def _settle(self) -> None:
        """What is configured, less what the board is held back by, holds from now on."""
        config, source = self._steps.of(self._configured), self._capture.source
        if config.max_fps != self._swap.config.max_fps:
            self._capture.limit(config.max_fps)
            self._health.expect(period_ns(config, source) if source.realtime else 0)
        self._swap.config = config
        self._health.reduced = config != self._configured

    def _tell(self) -> None:
        config = self._swap.config
        if config == self._configured:
            _log.info("as configured again: the board was free for a while")
            return
        state = self._board.state
        because = f": {state.describe()}" if state else ""
        network = f" by {config.model}" if config.model != self._configured.model else ""
        _log.warning("reduced to %.3g frames a second%s%s", config.max_fps, network, because)


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
