"""Another network in a running daemon: proved beside the present one, taken over between frames.

A thread loads the candidate in a process of its own, has it answer its golden frames and times it;
nothing of the present one changes meanwhile. Then pictures are prepared for the candidate, and the
first of them is the first that it infers. The one before stays loaded for a while: a candidate that
is lost in that time is given up for it at once.
"""

from __future__ import annotations

import logging
import threading
import time

from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.network import Network, fit_network
from roadmask.daemon.order import order_of, resolved_model
from roadmask.daemon.outlet import SeenCamera, identity_of, preview_of
from roadmask.errors import ModelError, RoadmaskError
from roadmask.inference.engine import Engine
from roadmask.inference.engine_process import ProcessEngine
from roadmask.stream.publish.publisher import Publisher

_log = logging.getLogger(__name__)
_LOOK_S = 1.0  # between two looks where the model's path leads
_PROBATION = 100  # frames
_WARM_UP, _TIMED = 3, 15


class Swap:
    """Looks where the model's path leads, and has a candidate ready when that changed.

    ``models switch`` changes a link, a reload of the settings the path. A context manager; its end
    ends what was loaded beside the daemon's first engine.

    Args:
        config: what networks are loaded with; its model is what runs.
        camera: (width, height) px.
        seen_camera: for the stream's table.
        publisher: whose memory must have room for the masks.

    Attributes:
        config: as it stands now.
        ready: a candidate for ``take``; None most of the time.
        busy: there is a candidate, or one has taken over and is on probation.
    """

    def __init__(
        self,
        config: DaemonConfig,
        camera: tuple[int, int],
        seen_camera: SeenCamera,
        publisher: Publisher,
    ) -> None:
        self.config, self._camera, self._publisher = config, camera, publisher
        self.seen_camera = seen_camera
        self._runs = self._seen = resolved_model(config.model)  # the second may be refused
        self.ready: Network | None = None
        self.busy = False
        self._candidates: list[ProcessEngine] = []
        self._before: Network | None = None
        self._probation = 0
        self._stop = threading.Event()

    def __enter__(self) -> Swap:
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self._candidates:
            engine.__exit__()

    def take(self, present: Network) -> Network:
        """The candidate, which takes over from ``present``."""
        network, self.ready = self.ready, None
        assert network is not None
        self._before, self._probation = present, _PROBATION
        self._runs = str(network.engine.path)
        return network

    def passed(self) -> Network | None:
        """A frame went well; the network before, once it is needed no more."""
        if self._before is None:
            # None of the network that was given up comes after one of that before it.
            self.busy = self.ready is not None
            return None
        self._probation -= 1
        if self._probation:
            return None
        before, self._before, self.busy = self._before, None, False
        self._end(before.engine)
        return before

    def give_up(self, failed: Network) -> Network | None:
        """The network before, where ``failed`` has only just taken over from it."""
        before, self._before = self._before, None
        if before is not None:
            self._runs = str(before.engine.path)
            _log.error("model %s is given up for %s", failed.engine.name, before.engine.name)
            self._end(failed.engine)
        return before

    def look(self, stop: threading.Event) -> None:
        """Whether another model is meant now, and if so, whether it can take over."""
        path = resolved_model(self.config.model)
        if path == self._seen or self.busy:
            return
        self._seen, self._stop = path, stop
        if path == self._runs:  # what was refused is taken back
            return
        _log.info("model %s is looked at", path)
        try:
            self.ready = self._prepared()
        except RoadmaskError as error:
            if not stop.is_set():
                _log.error("the model stays what it is: %s", error)
            return
        self.busy = True

    def _prepared(self) -> Network:
        engine = ProcessEngine(
            order_of(self.config), self.config.max_age_ms, standby=self.config.standby
        )
        self._candidates.append(engine)
        try:
            engine.load(self._stop)
            network = fit_network(engine, self._camera, self.config)
            preview = preview_of(self.config, network)
            self._publisher.check_fits(network.postprocess.mask_size, preview)
            self._publisher.identify(identity_of(network, self.seen_camera))
            taken_ms = _median_ms(engine)
            if taken_ms > self.config.budget_ms:
                raise ModelError(
                    f"model {engine.name} takes {taken_ms:.1f} ms a frame beside the present one, "
                    f"{self.config.budget_ms:g} ms are allowed (budget_ms)"
                )
        except BaseException:
            self._candidates.remove(engine)
            engine.__exit__()
            raise
        return network

    def _end(self, engine: Engine) -> None:
        if isinstance(engine, ProcessEngine):
            engine.__exit__()
            if engine in self._candidates:  # not the daemon's first one
                self._candidates.remove(engine)


def _median_ms(engine: ProcessEngine) -> float:
    times = []
    for _ in range(_WARM_UP + _TIMED):
        began_ns, ended_ns = engine.timed()
        times.append((ended_ns - began_ns) / 1e6)
        time.sleep(0.01)  # not all of a core that the present network may need
    return sorted(times[_WARM_UP:])[_TIMED // 2]
