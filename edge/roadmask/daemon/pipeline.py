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
from functools import partial

from roadmask.daemon.board_watch import BoardWatch
from roadmask.daemon.camera_faults import Faults
from roadmask.daemon.capture import CaptureThread
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.frame_slot import Captured
from roadmask.daemon.health import Health
from roadmask.daemon.inlet import open_camera
from roadmask.daemon.looks import Looks
from roadmask.daemon.mask_check import MaskCheck
from roadmask.daemon.mode_log import ModeLog
from roadmask.daemon.network import Network, fit_network
from roadmask.daemon.outlet import open_publisher, period_ns
from roadmask.daemon.publication import Publication
from roadmask.daemon.scene import SceneCheck
from roadmask.daemon.stage_times import StageTimes
from roadmask.inference.accelerator import Accelerator
from roadmask.inference.engine import Engine, EngineLostError
from roadmask.inference.reading.read_as import ReadAs
from roadmask.sources import Source, SourceKind
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.publish.heartbeat import TICK_S, Heart
from roadmask.stream.publish.publisher import Publisher
from roadmask.system.scheduling import lock_memory, parse_cores, pinned, use_realtime
from roadmask.system.service_manager import NO_MANAGER, ServiceManager

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pipeline:
    """The parts of a running daemon, see ``open_pipeline``."""

    config: DaemonConfig
    network: Network
    publisher: Publisher
    capture: CaptureThread
    publication: Publication
    manager: ServiceManager = NO_MANAGER

    def run(self, stop: threading.Event) -> int:
        """Segment and publish until ``stop``, the source's end, or ``config.frames``.

        Returns:
            The number of frames published.
        """
        engine, tensors = self.network.engine, self.network.tensors
        capture, publication = self.capture, self.publication
        frames, taken = self.config.frames or math.inf, 0
        while taken < frames and not stop.is_set():
            frame = capture.newest(TICK_S)
            if frame is not None:
                tensors.feed(frame.prepared)
                try:
                    began_ns, ended_ns = engine.timed()
                except EngineLostError as error:
                    _log.error("%s", error)
                    self._replace_engine(frame, stop)
                    continue
                publication.put(frame, began_ns, ended_ns, beside=capture.waiting)
                taken += 1
                self.manager.alive()
            elif capture.ended:
                break
            else:
                self.publisher.check()
                if capture.fault_code is not None:  # which the heart tells
                    self.manager.alive()
        return taken

    def _replace_engine(self, frame: Captured, stop: threading.Event) -> None:
        """A fresh engine; the stream says meanwhile that there is none."""
        self.publisher.set_mode(Mode.FAULT, Reason.INFERENCE_FAILED)
        self.network.engine.recover(stop)
        self.network.tensors.release(frame.prepared)  # it may be the input, where golden frames go
        self.publisher.engine_restarts += 1


@contextmanager
def open_pipeline(
    config: DaemonConfig,
    *,
    engine: Engine | None = None,
    source: Source | None = None,
    publisher: Publisher | None = None,
    times: StageTimes | None = None,
    manager: ServiceManager = NO_MANAGER,
) -> Iterator[Pipeline]:
    """The daemon's parts, started; at the end the last frame is out and all are closed.

    Args:
        config: what the parts are made of.
        engine: a loaded network; by default the one that ``config`` names, in this process.
        source: a camera in its place; it is closed at the end.
        publisher: a stream in its place, for masks of this camera and network; it stays open.
        times: takes down when each frame passed each stage.
        manager: is told that the stream is there, and of each frame or fault that proves it.

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
        publisher.mode_changed = ModeLog().note
        capture = open_part(
            CaptureThread(source, preparation=network.tensors, max_fps=config.max_fps)
        )
        engine.late = partial(publisher.set_mode, Mode.FAULT, Reason.INFERENCE_FAILED)
        open_part(Heart(publisher, Faults(publisher, capture).tell))
        board = open_part(BoardWatch())
        health = Health(
            source.kind,
            period_ns(config, source) if source.realtime else 0,
            config.max_age_ms,
            board,
        )
        looks = Looks(
            SceneCheck(config.scene, source.kind is SourceKind.LIVE),
            MaskCheck(
                config.mask, config.scene, engine, network.view.inner, network.standing.golden
            ),
        )
        publication = open_part(Publication(publisher, network, source.kind, looks, health, times))
        _announce(network, source, publisher)
        manager.ready(f"masks at {publisher.socket_path}")
        yield Pipeline(config, network, publisher, capture, publication, manager)


def _announce(network: Network, source: Source, publisher: Publisher) -> None:
    """What a healthy start is; the network's own lines are said by who loads it."""
    from roadmask import __version__

    engine, (width, height) = network.engine, network.postprocess.mask_size
    _log.info("version %s, process %d", __version__, os.getpid())
    _log.info("model %s, %s: %s", engine.name, engine.digest[:12], engine.placement.describe())
    _log.info(engine.standing.text if engine.standing else "unverified")
    _log.info("camera %s", source.describe())
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
