"""The daemon's end of the stream: who it says it is, what its ring holds, who may read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from roadmask.daemon.camera_model import camera_model, geometry_identities
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.network import Network, view_of
from roadmask.inference.model_file import read_metadata, read_model
from roadmask.labels.label_set import CATEGORY_COLORS_RGB, CATEGORY_NAMES
from roadmask.models_store.store import Store
from roadmask.sources import Source
from roadmask.stream.camera_geometry import CameraGeometry
from roadmask.stream.protocol import Identity
from roadmask.stream.publish.access import Access
from roadmask.stream.publish.frame_info import RingForm, StreamIdentity
from roadmask.stream.publish.publisher import Publisher
from roadmask.stream.ring import RingLayout


def preview_of(config: DaemonConfig, network: Network) -> tuple[int, int] | None:
    """Size of the pictures beside a network's masks, None without."""
    return network.view.preview_size if config.preview else None


def open_publisher(config: DaemonConfig, network: Network, source: Source) -> Publisher:
    """The stream of a network's masks of what ``source`` shows.

    Raises:
        PublishError: the socket cannot be made.
        ConfigError: a camera geometry that is not this camera's.
    """
    return Publisher(
        Path(config.socket),
        mask_size=network.postprocess.mask_size,
        identity=identity_of(network, seen_camera(config, source)),
        frame_period_ns=period_ns(config, source),
        max_age_ms=config.max_age_ms,
        form=RingForm(
            confidence=config.confidence,
            preview_size=preview_of(config, network),
            checksum=config.checksum,
            room=_room(config, source.size),
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


def _room(config: DaemonConfig, camera: tuple[int, int]) -> int:
    """Bytes of a slot that holds the masks of each model beside which this one is installed."""
    path = Path(config.model)
    if path.parent.name != "current":  # of no store
        return 0
    rooms = [0]
    for model in Store(path.parent.parent).installed():
        info = read_metadata(read_model(model.path))
        if info is not None:
            view = view_of(config, camera, info.input_size)
            preview = view.preview_size if config.preview else None
            rooms.append(RingLayout(view.mask_size, config.confidence, preview, 2).slot_bytes)
    return max(rooms)


class SeenCamera(NamedTuple):
    """What the stream tells of the camera: its name, and ``camera_model``."""

    name: str
    model: tuple[CameraGeometry, str] | None


def seen_camera(config: DaemonConfig, source: Source) -> SeenCamera:
    """The camera that ``source`` is.

    Raises:
        ConfigError: a geometry that is not this camera's.
    """
    return SeenCamera(source.name, camera_model(config.camera, source.size))


def identity_of(network: Network, camera: SeenCamera) -> StreamIdentity:
    """Names and digests of what makes the masks."""
    engine, standing = network.engine, network.standing
    calibration = engine.info.calibration if engine.info else {}
    verification = standing.text
    if network.steady is not None:  # room for it in a name
        verification = f"{verification[:70]}; steady {network.steady.strength:g}"
    return StreamIdentity(
        model=Identity(engine.name, bytes.fromhex(engine.digest)),
        calibration=Identity(
            str(calibration.get("name", "")), bytes.fromhex(calibration.get("sha256", ""))
        ),
        camera=Identity(camera.name, hashlib.sha256(camera.name.encode()).digest()),
        labels=Identity(
            "cityscapes-8",
            hashlib.sha256(" ".join(CATEGORY_NAMES).encode()).digest(),
            tuple((int(r), int(g), int(b)) for r, g, b in CATEGORY_COLORS_RGB),
        ),
        verification=Identity(verification, standing.digest),
        **geometry_identities(camera.model),
    )
