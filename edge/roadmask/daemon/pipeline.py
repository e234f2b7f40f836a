"""The daemon: capture -> preprocess -> infer -> postprocess -> publish.

``open_pipeline`` builds the parts, ``Pipeline.run`` is the path of a frame.

Capture, decoding and preprocessing of the next frame run in one thread, which overwrites a
one-frame slot, so that the loop below always takes the newest frame. Where a frame waits, the loop
does nothing but infer: another thread postprocesses and publishes the frame before. Where none
waits, the loop helps to preprocess the next and publishes by itself, which costs less than to wake
a thread. A third keeps the stream alive while there is no frame.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from roadmask.daemon.board_watch import BoardWatch
from roadmask.daemon.camera_faults import Faults
from roadmask.daemon.capture import CaptureThread
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.health import Health
from roadmask.daemon.inlet import open_camera
from roadmask.daemon.intake import Intake
from roadmask.daemon.looks import Looks
from roadmask.daemon.network import Network, fit_network
from roadmask.daemon.observed import observed
from roadmask.daemon.outlet import open_publisher, period_ns, seen_camera
from roadmask.daemon.publication import Publication
from roadmask.daemon.reload import Reload
from roadmask.daemon.scene import SceneCheck
from roadmask.daemon.stage_times import StageTimes
from roadmask.daemon.swap import Swap
from roadmask.daemon.upkeep import Changes, Upkeep
from roadmask.daemon.works import Works
from roadmask.inference.accelerator import Accelerator
from roadmask.inference.engine import Engine, EngineLostError
from roadmask.inference.reading.read_as import ReadAs
from roadmask.sources import Source, SourceKind
from roadmask.stream.publish.heartbeat import TICK_S, Heart
from roadmask.stream.publish.publisher import Publisher
from roadmask.system.scheduling import lock_memory, parse_cores, pinned, use_realtime
from roadmask.system.service_manager import NO_MANAGER, ServiceManager

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pipeline:
    """The parts of a running daemon, see ``open_pipeline``."""

    config: DaemonConfig
    works: Works
    publisher: Publisher
    capture: CaptureThread
    manager: ServiceManager = NO_MANAGER

    def run(self, stop: threading.Event) -> int:
        """Segment and publish until ``stop``, the source's end, or ``config.frames``.

        Returns:
            The number of frames published.
        """
        capture, works = self.capture, self.works
        frames, taken = self.config.frames or math.inf, 0
        while taken < frames and not stop.is_set():
            frame = capture.newest(TICK_S)
            if frame is not None:
                if not works.turn(frame):
                    continue
                network = works.network
                network.tensors.feed(frame.prepared)
                try:
                    began_ns, ended_ns = network.engine.timed()
                except EngineLostError as error:
                    if stop.is_set():
                        _log.info("stopped before the network had answered")
                        break
                    _log.error("%s", error)
                    works.lost(frame, stop)
                    continue
                works.publication.put(frame, began_ns, ended_ns, beside=capture.waiting)
                taken += 1
                self.manager.alive()
            elif capture.ended:
                break
            else:
                self.publisher.check()
                if capture.fault_code is not None:  # which the heart tells
                    self.manager.alive()
        return taken


@contextmanager
def open_pipeline(
    config: DaemonConfig,
    *,
    engine: Engine | None = None,
    source: Source | None = None,
    publisher: Publisher | None = None,
    times: StageTimes | None = None,
    manager: ServiceManager = NO_MANAGER,
    reload: Reload | None = None,
) -> Iterator[Pipeline]:
    """The daemon's parts, started; at the end the last frame is out and all are closed.

    Args:
        config: what the parts are made of.
        engine: a loaded network; by default the one that ``config`` names, in this process.
        source: a camera in its place; it is closed at the end.
        publisher: a stream in its place, for masks of this camera and network; it stays open.
        times: takes down when each frame passed each stage.
        manager: is told that the stream is there, and of each frame or fault that proves it.
        reload: reads the settings again when that is wanted.

    Raises:
        RoadmaskError: a part that cannot be made, or that failed while the last frame was
            published.
    """
    if config.realtime:
        use_realtime(config.realtime)
    if config.lock_memory:
        lock_memory()
    engine = engine or _load(config)
    with ExitStack() as stack:
        open_part = stack.enter_context
        source = open_part(source or open_camera(config))
        network = fit_network(engine, source.size, config)
        publisher = publisher or open_part(open_publisher(config, network, source))
        intake = Intake(network)
        capture = open_part(CaptureThread(source, preparation=intake, max_fps=config.max_fps))
        board = open_part(BoardWatch())
        health = Health(
            source.kind,
            period_ns(config, source) if source.realtime else 0,
            config.max_age_ms,
            board,
        )
        looks = Looks(SceneCheck(config.scene, source.kind is SourceKind.LIVE), network.check)
        open_part(observed(config, publisher, capture, board, looks.scene, lambda: works.network))
        open_part(Heart(publisher, Faults(publisher, capture).tell))
        swap = open_part(Swap(config, source.size, seen_camera(config, source), publisher))
        publication = Publication(publisher, network, source.kind, looks, health, times)
        works = open_part(Works(intake, publication, publisher, swap))
        changes = Changes(swap, capture, looks.scene, health, manager, board)
        open_part(Upkeep(reload or Reload(), changes))
        _announce(network, source, publisher)
        manager.ready(f"masks at {publisher.socket_path}")
        yield Pipeline(config, works, publisher, capture, manager)


def _announce(network: Network, source: Source, publisher: Publisher) -> None:
    """What a healthy start is; the network's own lines are said by who loads it."""
    from roadmask import __version__

    engine, (width, height) = network.engine, network.postprocess.mask_size
    _log.info("version %s, process %d", __version__, os.getpid())
    _log.info("model %s, %s: %s", engine.name, engine.digest[:12], engine.placement.describe())
    _log.info(engine.standing.text if engine.standing else "unverified")
    _log.info("camera %s", source.describe())
    if network.steady is not None:
        _log.info("steady %g", network.steady.strength)
    _log.info("masks of %dx%d px at %s", width, height, publisher.socket_path)


def _load(config: DaemonConfig) -> Engine:
    accelerator = Accelerator(
        config.delegate, config.delegate_options, config.gpu, config.delegate_required
    )
    with pinned(parse_cores(config.cores)):  # the interpreter's threads too
        return Engine(
            config.model,
            config.threads,
            config.labels or None,
            accelerator,
            ReadAs(config.input_range, config.channels, config.size, config.output),
        )
