"""The daemon's end of the stream: who it says it is, what its ring holds, who may read."""

from __future__ import annotations

import hashlib
from pathlib import Path

from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.network import Network
from roadmask.labels.label_set import CATEGORY_COLORS_RGB, CATEGORY_NAMES
from roadmask.sources import Source
from roadmask.stream.protocol import Identity
from roadmask.stream.publish.access import Access
from roadmask.stream.publish.frame_info import RingForm, StreamIdentity
from roadmask.stream.publish.publisher import Publisher


def open_publisher(config: DaemonConfig, network: Network, source: Source) -> Publisher:
    """The stream of a network's masks of what ``source`` shows.

    Raises:
        PublishError: the socket cannot be made.
    """
    return Publisher(
        Path(config.socket),
        mask_size=network.postprocess.mask_size,
        identity=_identity(network, source),
        frame_period_ns=period_ns(config, source),
        max_age_ms=config.max_age_ms,
        form=RingForm(
            confidence=config.confidence,
            preview_size=network.view.preview_size if config.preview else None,
            checksum=config.checksum,
        ),
        access=access_of(config),
    )


def access_of(config: DaemonConfig) -> Access:
    """Who may read."""
    return Access(
        config.socket_mode, config.allow_users, config.allow_groups, group=config.socket_group
    )


def period_ns(config: DaemonConfig, source: Source) -> int:
    """Nominal time between frames, 0 where the source has no rate."""
    rates = [fps for fps in (source.fps, config.max_fps) if fps]
    return round(1e9 / min(rates)) if rates else 0


def _identity(network: Network, source: Source) -> StreamIdentity:
    engine, standing = network.engine, network.standing
    calibration = engine.info.calibration if engine.info else {}
    return StreamIdentity(
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
        verification=Identity(standing.text, standing.digest),
    )
