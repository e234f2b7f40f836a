"""The network that infers now, and what publishes for it; another can take over between frames."""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from roadmask.daemon.frame_slot import Captured
from roadmask.daemon.intake import Intake
from roadmask.daemon.network import Network
from roadmask.daemon.outlet import identity_of, preview_of
from roadmask.daemon.publication import Publication
from roadmask.daemon.swap import Swap
from roadmask.stream.publish.publisher import Publisher

_log = logging.getLogger(__name__)


class Works:
    """Belongs to the loop; a context manager, whose end waits for the last frame.

    Args:
        intake: what pictures are prepared for.
        publication: of the network that ``intake`` begins with.
        publisher: the stream.
        swap: where another network comes from.

    Attributes:
        network, publication: at work now.
        refused: a network that was given up, whose frames are passed over.
    """

    def __init__(
        self, intake: Intake, publication: Publication, publisher: Publisher, swap: Swap
    ) -> None:
        self._intake, self._publisher, self._swap = intake, publisher, swap
        self.network, self.publication = intake.network, publication
        self.refused: Network | None = None
        self.network.engine.late = publication.fail

    def __enter__(self) -> Works:
        self.publication.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.publication.__exit__(kind, error, trace)

    def turn(self, frame: Captured) -> bool:
        """Have the network at work for which ``frame`` was prepared; for each frame.

        Returns:
            False for a frame of a network that was given up.
        """
        swap, intake = self._swap, self._intake
        if not swap.busy:
            return True
        if swap.ready is not None and intake.network is self.network:
            intake.network = swap.take(self.network)
        network = intake.network_of(frame.prepared)
        if network is self.refused:
            return False
        if network is not self.network:
            self._take_over(network)
        elif intake.network is network:
            # None that was prepared for another comes after this one.
            for gone in (self.refused, swap.passed()):
                if gone is not None:
                    intake.forget(gone)
            self.refused = None
        return True

    def lost(self, frame: Captured, stop: threading.Event) -> None:
        """The engine was lost over ``frame``: the network before, or a fresh engine."""
        self.publication.fail()
        before = self._swap.give_up(self.network)
        if before is not None:
            self.refused, self._intake.network = self.network, before
            self._take_over(before)
            return
        self.network.engine.recover(stop)
        self.network.tensors.release(frame.prepared)  # it may be the input, where golden frames go
        self._publisher.engine_restarts += 1

    def _take_over(self, network: Network) -> None:
        old = self.publication
        old.__exit__(None, None, None)  # its last frame is out
        publisher, config = self._publisher, self._swap.config
        publisher.fit(network.postprocess.mask_size, preview_of(config, network))
        self.publication = old.of(network)
        self.publication.identity = publisher.identify(identity_of(network, self._swap.seen_camera))
        self.publication.__enter__()
        self.network, engine = network, network.engine
        engine.late = self.publication.fail
        _log.info("model %s, %s, took over", engine.name, engine.digest[:12])
