"""The configuration file: its tables, each checked against its settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from roadmask.daemon.camera_model import CameraSettings, camera_model
from roadmask.daemon.config import DaemonConfig, MaskLimits, SceneLimits
from roadmask.daemon.contradictions import refuse_contradictions
from roadmask.errors import ConfigError, RoadmaskError
from roadmask.system.settings import from_table
from roadmask.system.toml import read_toml
from roadmask.web.settings import ServeConfig

TABLES = {
    "daemon": DaemonConfig,
    "scene": SceneLimits,
    "mask": MaskLimits,
    "camera": CameraSettings,
    "serve": ServeConfig,
}


def read_config(path: Path | None) -> dict[str, Any]:
    """The file's tables, every setting in them checked, the camera's file too; none of no file.

    Raises:
        ConfigError: a file, a table, a key or a value that cannot be used.
    """
    tables = read_toml(path) if path else {}
    for name, table in tables.items():
        if name not in TABLES:
            expected = " or ".join(f"[{known}]" for known in TABLES)
            raise ConfigError(f"{path}: table [{name}] is unknown; expected {expected}")
        made: object = from_table(TABLES[name], table, f"{path}: {name}")
        if isinstance(made, CameraSettings):
            camera_model(made)
    return tables


def daemon_config(path: Path | None, options: dict[str, Any]) -> DaemonConfig:
    """What ``roadmask run`` does: options over the file over the defaults.

    Raises:
        ConfigError: as ``read_config``; settings that contradict each other.
    """
    tables = read_config(path)
    limits: dict[str, Any] = {
        name: from_table(TABLES[name], tables.get(name, {}), f"{path}: {name}")
        for name in ("scene", "mask", "camera")
    }
    daemon = from_table(DaemonConfig, tables.get("daemon", {}), f"{path}: daemon", **limits)
    config = dataclasses.replace(daemon, **options)
    refuse_contradictions(config)
    return config


def lacks_here(config: DaemonConfig) -> Iterator[str]:
    """What the settings name and this machine has not; the board that they are for may have it."""
    from roadmask.daemon.outlet import access_of
    from roadmask.inference.model_file import model_path
    from roadmask.storage.address import is_address
    from roadmask.stream.publish.access import AllowList, group_id

    looks: list[Callable[[], object]] = [
        lambda: AllowList(access_of(config)),
        lambda: group_id(config.socket_group) if config.socket_group else None,
        lambda: is_address(config.model) or model_path(config.model),
    ]
    for look in looks:
        try:
            look()
        except RoadmaskError as error:
            yield str(error)


def serve_config(path: Path | None, options: dict[str, Any]) -> ServeConfig:
    """What ``roadmask serve`` does, likewise.

    Raises:
        ConfigError: as ``read_config``.
    """
    served = from_table(ServeConfig, read_config(path).get("serve", {}), f"{path}: serve")
    return dataclasses.replace(served, **options)
