"""The daemon's start: the stream is there first, and says what everybody waits for.

A camera that is late, and an engine that dies while it loads, are waited for; what no time mends (a
wrong address, a file that is no model) ends the daemon with one line.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from roadmask.daemon.camera_faults import FAULTS
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.inlet import open_camera
from roadmask.daemon.mode_log import ModeLog
from roadmask.daemon.outlet import access_of
from roadmask.inference.engine import EngineLostError
from roadmask.inference.engine_process import ProcessEngine
from roadmask.inference.proof import prove
from roadmask.sources import FaultCode, Source, SourceError
from roadmask.stream.modes import Mode, Reason, names
from roadmask.stream.publish.heartbeat import Heart
from roadmask.stream.publish.publisher import Publisher
from roadmask.system.service_manager import ServiceManager

_log = logging.getLogger(__name__)
_RETRY_S = 0.25  # a camera is opened that soon after its device is there
_MENDED_BY_TIME = {FaultCode.CAMERA_MISSING, FaultCode.CAMERA_BUSY, FaultCode.CAMERA_LOST}


class WaitingRoom:
    """A stream without a mask, which says why there is none yet; opened when first needed."""

    def __init__(self, config: DaemonConfig, manager: ServiceManager) -> None:
        self._config, self._manager = config, manager
        self._modes = ModeLog()
        self._stack = ExitStack()
        self._publisher: Publisher | None = None

    def __enter__(self) -> WaitingRoom:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def tell(self, mode: Mode, reason: Reason) -> None:
        """Say it, now and in each heartbeat from now on.

        Raises:
            PublishError: the socket cannot be made.
        """
        if self._publisher is None:
            self._publisher = self._stack.enter_context(
                Publisher(
                    Path(self._config.socket),
                    mask_size=(1, 1),
                    max_age_ms=self._config.max_age_ms,
                    access=access_of(self._config),
                )
            )
            self._publisher.mode_changed = self._modes.note
            self._stack.enter_context(Heart(self._publisher))
        self._publisher.set_mode(mode, reason)
        self._manager.ready(f"no masks yet: {names(reason)}")
        self._manager.alive()


@contextmanager
def await_parts(
    config: DaemonConfig, engine: ProcessEngine, stop: threading.Event, manager: ServiceManager
) -> Iterator[Source | None]:
    """Wait until the camera is open and the network loaded; None when told to stop before.

    Raises:
        RoadmaskError: what no time mends.
    """
    engine.waiting = manager.alive
    with WaitingRoom(config, manager) as room:
        source = _await_source(config, room, stop)
        try:
            if source is not None:
                _await_engine(engine, room, stop)
                # The waiting room is still there: to crash or hang over golden frames is told too.
                if not stop.is_set():
                    engine.standing = prove(engine, skip=config.no_verify)
        except BaseException:
            if source is not None:
                source.close()
            raise
        finally:
            engine.late = lambda: None  # the room closes
    yield None if stop.is_set() else source


def _await_source(config: DaemonConfig, room: WaitingRoom, stop: threading.Event) -> Source | None:
    said: FaultCode | None = None
    while not stop.is_set():
        try:
            return open_camera(config)
        except SourceError as error:
            if error.code not in _MENDED_BY_TIME:
                raise
            if error.code is not said:
                _log.warning("%s; waiting for it", error)
                said = error.code
            room.tell(*FAULTS[error.code])
        stop.wait(_RETRY_S)
    return None


def _await_engine(engine: ProcessEngine, room: WaitingRoom, stop: threading.Event) -> None:
    engine.late = partial(room.tell, Mode.FAULT, Reason.STARTING)
    try:
        engine.load(stop)
    except EngineLostError as error:
        _log.error("%s", error)
        engine.late = partial(room.tell, Mode.FAULT, Reason.INFERENCE_FAILED)
        engine.late()
        engine.recover(stop)
