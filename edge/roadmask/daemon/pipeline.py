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
from pathlib import Path

from roadmask.daemon.camera_faults import _Faults
from roadmask.daemon.capture import CaptureThread
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.health import Health
from roadmask.daemon.publication import Publication
from roadmask.daemon.scene import SceneCheck
from roadmask.daemon.stage_times import StageTimes
from roadmask.daemon.tensor_pool import TensorPool
from roadmask.errors import ConfigError
from roadmask.inference.accelerator import Accelerator
from roadmask.inference.engine import Engine
from roadmask.inference.geometry import geometry
from roadmask.inference.postprocess import Postprocess
from roadmask.labels.label_set import CATEGORY_COLORS_RGB, CATEGORY_NAMES
from roadmask.sources import Source, SourceKind, open_source
from roadmask.stream.protocol import Identity
from roadmask.stream.publish.heartbeat import TICK_S, Heart
from roadmask.stream.publish.publisher import Publisher, StreamIdentity
from roadmask.system.clock import now_ns
from roadmask.system.scheduling import lock_memory, parse_cores, pinned, use_realtime


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
