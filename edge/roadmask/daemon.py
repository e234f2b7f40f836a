"""The daemon: capture -> preprocess -> infer -> postprocess -> publish, one frame at a time.

Capture and decoding run in their own thread and overwrite a one-frame slot, so that the loop
always takes the newest frame. A second thread keeps the stream alive while the loop waits for a
frame or for the network.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

from roadmask.capture import Captured, CaptureThread
from roadmask.clock import now_ns
from roadmask.engine import Engine
from roadmask.errors import ConfigError
from roadmask.health import Health
from roadmask.labels import CATEGORY_COLORS_RGB, CATEGORY_NAMES
from roadmask.modelfile import DEFAULT_MODEL
from roadmask.modes import Flag, Mode, Reason
from roadmask.postprocess import Postprocess
from roadmask.preprocess import Preprocess
from roadmask.protocol import DEFAULT_SOCKET, Identity
from roadmask.publisher import FrameInfo, Publisher, StreamIdentity
from roadmask.sources import FaultCode, Source, SourceKind, open_source
from roadmask.times import StageTimes

_TICK_S = 0.025  # two ticks without a frame make a heartbeat: the clients expect one in 50 ms
_FLAGS = {
    SourceKind.LIVE: Flag.NONE,
    SourceKind.FILE: Flag.FILE,
    SourceKind.SYNTHETIC: Flag.SYNTHETIC,
}
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
    frames: int = 0  # published, then stop; 0 = until told
    labels: str = ""  # label set, where the model file names none
    mask_size: str = "network"  # or "camera"
    max_age_ms: int = 250  # subscribers refuse older masks
    confidence: bool = False  # publish a confidence plane
    preview: bool = False  # publish the network's RGB input
    socket_mode: int = 0o660
    allow_users: tuple[str, ...] = ()
    allow_groups: tuple[str, ...] = ()


def run(config: DaemonConfig, stop: threading.Event, times: StageTimes | None = None) -> int:
    """Segment and publish until ``stop``, the source's end, or ``config.frames``.

    Returns:
        The number of frames published.
    """
    engine = Engine(config.model, config.threads, config.labels or None)
    with open_source(config.source) as source:
        postprocess = Postprocess(engine, _mask_size(config, engine, source))
        with (
            _open_publisher(config, engine, source, postprocess.mask_size) as publisher,
            CaptureThread(source) as capture,
            _Heart(publisher, capture),
        ):
            segment = Segment(engine, postprocess, source, publisher)
            return _loop(segment, capture, config.frames, stop, times)


def _loop(
    segment: Segment,
    capture: CaptureThread,
    frames: int,
    stop: threading.Event,
    times: StageTimes | None,
) -> int:
    published = 0
    while not stop.is_set() and (not frames or published < frames):
        frame = capture.newest(_TICK_S)
        if frame is not None:
            published = segment.publish(frame, times)
        elif capture.ended:
            break
    return published


class Segment:
    """The path of one frame from the capture thread to the subscribers."""

    def __init__(
        self, engine: Engine, postprocess: Postprocess, source: Source, publisher: Publisher
    ) -> None:
        self.engine, self.postprocess, self.publisher = engine, postprocess, publisher
        period_ns = round(1e9 / source.fps) if source.fps and source.realtime else 0
        self.health = Health(source.kind, period_ns)
        self.flags = _FLAGS[source.kind]
        self.preprocess = Preprocess(engine, source.size)

    def publish(self, frame: Captured, times: StageTimes | None) -> int:
        """Preprocess, infer, postprocess, publish; returns the sequence number."""
        taken_ns = now_ns()
        slot = self.publisher.begin()
        height, width = frame.image.shape[:2]
        if (width, height) != self.preprocess.source_size:  # a camera may change its mind
            self.preprocess = Preprocess(self.engine, (width, height))
        self.preprocess.into(frame.image, self.engine.input)
        if slot.preview is not None:
            slot.preview[:] = self.engine.input
        ready_ns = now_ns()
        self.engine.invoke()
        inferred_ns = now_ns()
        counts = self.postprocess.into(slot.mask, slot.confidence)
        postprocessed_ns = now_ns()
        mode, reasons = self.health.judge(frame)
        mask_width, mask_height = self.postprocess.mask_size
        scale = (width / mask_width, height / mask_height)
        sequence = self.publisher.publish(
            FrameInfo(
                capture_ns=frame.capture_ns,
                frame_id=frame.frame_id,
                skipped=frame.skipped,
                infer_us=(inferred_ns - ready_ns) // 1000,
                mode=mode,
                reasons=reasons,
                flags=self.flags | (Flag.DRIVER_TIME if frame.driver_time else Flag.NONE),
                camera_size=(width, height),
                scale=scale,
                # Pixel centres: the middle of mask pixel 0 lies (scale - 1) / 2 into the picture.
                offset=((scale[0] - 1) / 2, (scale[1] - 1) / 2),
                counts=tuple(counts),
            )
        )
        if times is not None:
            times.add(
                frame.frame_id,
                frame.capture_ns,
                frame.available_ns,
                taken_ns,
                ready_ns,
                inferred_ns,
                postprocessed_ns,
                now_ns(),
            )
        return sequence


class _Heart:
    """Sends a STATUS when no frame was published between two ticks."""

    def __init__(self, publisher: Publisher, capture: CaptureThread) -> None:
        self._publisher, self._capture = publisher, capture
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> _Heart:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        seen = -1
        said: tuple[int, FaultCode | None] = (-1, None)
        while not self._stop.wait(_TICK_S):
            sequence, fault = self._publisher.sequence, self._capture.fault_code
            if sequence == seen:
                # A frame that was under way when the camera failed takes the fault back.
                if fault is not None and (sequence, fault) != said:
                    self._publisher.set_mode(*_FAULTS[fault])
                    said = (sequence, fault)
                self._publisher.heartbeat()
            seen = sequence


def _mask_size(config: DaemonConfig, engine: Engine, source: Source) -> tuple[int, int]:
    sizes = {"network": engine.input_size, "camera": source.size}
    if config.mask_size not in sizes:
        raise ConfigError(f"mask size {config.mask_size!r}: expected network or camera")
    return sizes[config.mask_size]


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
        frame_period_ns=round(1e9 / source.fps) if source.fps else 0,
        max_age_ms=config.max_age_ms,
        mode_bits=config.socket_mode,
        allow_users=config.allow_users,
        allow_groups=config.allow_groups,
    )
