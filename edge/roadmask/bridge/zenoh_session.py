"""A Zenoh session that talks to nobody it was not told of; the package is loaded here alone."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from roadmask.errors import ConfigError

DEFAULT_ENDPOINT = "tcp/127.0.0.1:7447"
# A far end that hangs gets this much of the past when it goes on, and refuses it by its age.
_SOCKET_BUFFER_BYTES = 262_144
_ENDPOINT = re.compile(
    r"(?:(?:tcp|udp|tls|quic|ws)/[^\s/?#]+:\d{1,5}|(?!tcp|udp|tls|quic|ws)[a-z_-]+/[^\s?#]+)(?:[?#]\S+)?$"
)


def load_zenoh() -> Any:
    """The ``zenoh`` module.

    Raises:
        ConfigError: the extra is not installed.
    """
    try:
        import zenoh
    except ImportError as error:
        raise ConfigError(
            "Zenoh is not installed: pip install 'roadmask[zenoh]' (package eclipse-zenoh)"
        ) from error
    return zenoh


def check_key(key: str) -> str:
    """``key``, if it names exactly one stream.

    Raises:
        ConfigError: wildcards, an empty part, or nothing.
    """
    zenoh = load_zenoh()
    try:
        zenoh.KeyExpr(key)
        valid = not set(key) & set("*$")
    except zenoh.ZError:
        valid = False
    if not valid:
        raise ConfigError(
            f"--zenoh {key!r}: expected names parted by '/', e.g. car1/front, without wildcards"
        )
    return key


def open_session(
    connect: Sequence[str], listen: Sequence[str], scout: bool, gossip: bool = False
) -> Any:
    """A peer that connects to and listens at the endpoints given, and finds no others itself.

    An endpoint to connect to need not be there yet: it is tried again every second.

    Args:
        connect, listen: Zenoh endpoints, for example ``"tcp/10.0.0.2:7447"``.
        scout: look for peers by multicast, and let peers tell of others.
        gossip: let peers tell of others, without multicast.

    Raises:
        ConfigError: no Zenoh, or an endpoint that it cannot use.
    """
    zenoh = load_zenoh()
    for endpoint in (*connect, *listen):
        if not _ENDPOINT.match(endpoint):  # Zenoh tries some of these again for ever
            raise ConfigError(f"endpoint {endpoint!r}: expected e.g. {DEFAULT_ENDPOINT}")
    config = zenoh.Config()
    settings: dict[str, Any] = {
        "mode": "peer",
        "connect/endpoints": list(connect),
        "connect/timeout_ms": -1,
        "connect/exit_on_failure": False,
        "connect/retry": {"period_init_ms": 100, "period_max_ms": 1000},
        "listen/endpoints": list(listen),
        "listen/timeout_ms": 0,
        "listen/exit_on_failure": True,
        "scouting/multicast/enabled": scout,
        "scouting/gossip/enabled": scout or gossip,
        "transport/link/tcp/so_sndbuf": _SOCKET_BUFFER_BYTES,
        "transport/link/tcp/so_rcvbuf": _SOCKET_BUFFER_BYTES,
    }
    name = ""
    try:
        for name, value in settings.items():
            config.insert_json5(name, json.dumps(value))
        name = "session"
        return zenoh.open(config)
    except zenoh.ZError as error:
        given = ", ".join((*connect, *listen)) or "no endpoint"
        raise ConfigError(
            f"Zenoh cannot use {given} ({name}: {_first_line(error)}); expected endpoints as "
            f"{DEFAULT_ENDPOINT}, those to listen at free and on this machine"
        ) from error


def _first_line(error: Exception) -> str:
    return re.split(r" at /|\n", str(error))[0]  # without its own source file's path
