"""The daemon: capture -> preprocess -> infer -> postprocess -> publish.

Capture, decoding and preprocessing of the next frame run in one thread, which overwrites a
one-frame slot, so that the loop below always takes the newest frame. Where a frame waits, the loop
does nothing but infer: another thread postprocesses and publishes the frame before. Where none
waits, the loop helps to preprocess the next and publishes by itself, which costs less than to wake
a thread. A third keeps the stream alive while there is no frame.
"""

from __future__ import annotations

import hashlib
import math
import threading
from dataclasses import dataclass, field
from pathlib import Path

from roadmask.accelerator import Accelerator
from roadmask.capture import CaptureThread
from roadmask.clock import now_ns
from roadmask.engine import Engine
from roadmask.errors import ConfigError
from roadmask.geometry import geometry
from roadmask.health import Health
from roadmask.heart import TICK_S, Heart
from roadmask.labels import CATEGORY_COLORS_RGB, CATEGORY_NAMES
from roadmask.modelfile import DEFAULT_MODEL
from roadmask.modes import Mode, Reason
from roadmask.postprocess import Postprocess
from roadmask.preprocess import TensorPool
from roadmask.protocol import DEFAULT_SOCKET, Identity
from roadmask.publication import Publication
from roadmask.publisher import Publisher, StreamIdentity
from roadmask.realtime import lock_memory, parse_cores, pinned, use_realtime
from roadmask.scene import SceneCheck, SceneLimits
from roadmask.sources import FaultCode, Source, SourceKind, open_source
from roadmask.times import StageTimes

_FAULTS = {
    FaultCode.CAMERA_MISSING: (Mode.FAULT, Reason.CAMERA_LOST),
    FaultCode.CAMERA_BUSY: (Mode.FAULT, Reason.CAMERA_LOST),
    FaultCode.CAMERA_LOST: (Mode.FAULT, Reason.CAMERA_LOST),
    FaultCode.WRONG_FORMAT: (Mode.FAULT, Reason.CAMERA_LOST),
    FaultCode.CAMERA_STALLED: (Mode.STALE, Reason.NO_NEW_FRAME),
    FaultCode.DECODE_ERROR: (Mode.STALE, Reason.BAD_PICTURE),
}


@dataclass(frozen=True)
class DaemonConfig:
    """What ``roadmask run`` takes, on the command line or as ``[daemon]`` of a TOML file."""

    source: str = "/dev/video0"  # URI, see docs/sources.md
    model: str = DEFAULT_MODEL  # path, or stem of a shipped model
    socket: str = str(DEFAULT_SOCKET)
    threads: int = 1  # of the network
    cores: str = ""  # of the network, such as 2 or 0,2-3; "" = any
    delegate: str = ""  # shared library of a TensorFlow Lite delegate
    delegate_options: tuple[str, ...] = ()  # KEY=VALUE
    gpu: bool = False  # LiteRT's GPU
    delegate_required: bool = False  # no fallback to the processor
    realtime: int = 0  # SCHED_FIFO priority, 1 to 99; 0 = none
    lock_memory: bool = False  # no page faults after warm-up
    max_fps: float = 0.0  # segment at most so many frames a second; 0 = all
    frames: int = 0  # published, then stop; 0 = until told
    labels: str = ""  # label set, where the model file names none
    mask_size: str = "network"  # or "camera"
    crop: str = ""  # X,Y,W,H in camera px: what the network sees; "" = all
    fit: str = "stretch"  # or "letterbox": keep proportions, with void padding
    max_age_ms: int = 250  # subscribers refuse older masks
    confidence: bool = False  # publish a confidence plane
    preview: bool = False  # publish the network's RGB input
    socket_mode: int = 0o660
    allow_users: tuple[str, ...] = ()
    allow_groups: tuple[str, ...] = ()
    scene: SceneLimits = field(default_factory=SceneLimits)  # the table [scene]


def run(config: DaemonConfig, stop: threading.Event, times: StageTimes | None = None) -> int:
    """Segment and publish until ``stop``, the source's end, or ``config.frames``.

    Returns:
        The number of frames published.
    """
    if not 0 <= config.max_fps < math.inf:
        raise ConfigError(f"--max-fps {config.max_fps:g}: expected 0 (no limit) or more")
    accelerator = Accelerator(
        config.delegate, config.delegate_options, config.gpu, config.delegate_required
    )
    cores = parse_cores(config.cores)
    if config.realtime:
        use_realtime(config.realtime)
    if config.lock_memory:
        lock_memory()
    with pinned(cores):
        engine = Engine(config.model, config.threads, config.labels or None, accelerator)
    with open_source(config.source) as source:
        view = geometry(
            source.size,
            engine.input_size,
            crop=config.crop,
            fit=config.fit,
            mask_size=config.mask_size,
        )
        tensors = TensorPool(engine, view)
        postprocess = Postprocess(engine, view)
        if config.confidence and not postprocess.gives_confidence:
            raise ConfigError(
                f"--confidence: model {engine.name} ends in class ids, which tell no confidence; "
                "leave the option out or give a model with logits"
            )
        scene = SceneCheck(config.scene, source.kind is SourceKind.LIVE)
        with (
            _open_publisher(config, engine, source, postprocess.mask_size) as publisher,
            CaptureThread(source, preparation=tensors, max_fps=config.max_fps) as capture,
            Heart(publisher, _Faults(publisher, capture).tell),
            Publication(
                publisher,
                engine,
                postprocess,
                tensors,
                source,
                view,
                scene,
                Health(
                    source.kind,
                    _period_ns(config, source) if source.realtime else 0,
                    config.max_age_ms,
                ),
                times,
            ) as publication,
            pinned(cores),
        ):
            taken = 0
            while not stop.is_set() and (not config.frames or taken < config.frames):
                frame = capture.newest(TICK_S)
                if frame is not None:
                    tensors.feed(frame.prepared)
                    taken_ns = now_ns()
                    engine.invoke_direct()
                    publication.put(frame, taken_ns, now_ns(), beside=capture.waiting)
                    taken += 1
                elif capture.ended:
                    break
    return taken


class _Faults:
    """Says in the stream why the camera delivers nothing."""

    def __init__(self, publisher: Publisher, capture: CaptureThread) -> None:
        self._publisher, self._capture = publisher, capture
        self._said: tuple[int, FaultCode | None] = (-1, None)

    def tell(self, sequence: int) -> None:
        """For a stream that stands at ``sequence``."""
        fault = self._capture.fault_code
        # A frame that was under way when the camera failed takes the fault back.
        if fault is not None and (sequence, fault) != self._said:
            self._publisher.set_mode(*_FAULTS[fault])
            self._said = (sequence, fault)


def _period_ns(config: DaemonConfig, source: Source) -> int:
    """Nominal time between frames, 0 where the source has no rate."""
    rates = [fps for fps in (source.fps, config.max_fps) if fps]
    return round(1e9 / min(rates)) if rates else 0


def _open_publisher(
    config: DaemonConfig, engine: Engine, source: Source, mask_size: tuple[int, int]
) -> Publisher:
    calibration = engine.info.calibration if engine.info else {}
    identity = StreamIdentity(
        model=Identity(engine.name, bytes.fromhex(engine.digest)),
        calibration=Identity(
            str(calibration.get("name", "")), bytes.fromhex(calibration.get("sha256", ""))
        ),
        camera=Identity(source.name, hashlib.sha256(source.name.encode()).digest()),
        labels=Identity(
            "cityscapes-8",
            hashlib.sha256(" ".join(CATEGORY_NAMES).encode()).digest(),
            tuple((int(r), int(g), int(b)) for r, g, b in CATEGORY_COLORS_RGB),
        ),
    )
    return Publisher(
        Path(config.socket),
        identity=identity,
        mask_size=mask_size,
        confidence=config.confidence,
        preview_size=engine.input_size if config.preview else None,
        frame_period_ns=_period_ns(config, source),
        max_age_ms=config.max_age_ms,
        mode_bits=config.socket_mode,
        allow_users=config.allow_users,
        allow_groups=config.allow_groups,
    )
