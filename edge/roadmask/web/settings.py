"""What ``roadmask serve`` was told, and the limits that keep its memory bounded."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from roadmask.errors import ConfigError
from roadmask.inference.model_file import DEFAULT_MODEL
from roadmask.inference.reading.read_as import AS_IT_SAYS, ReadAs
from roadmask.stream.protocol import DEFAULT_SOCKET

MIB = 1 << 20
_TOKEN_CHARACTERS = 16
_REMEDY = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))' > FILE"


@dataclass(frozen=True)
class Limits:
    """Of one server process.

    Attributes:
        upload_bytes: body of one upload, all its files together.
        memory_bytes: bodies of all uploads under way.
        pixels: of one picture; read from its header before anything is decoded.
        queue: predictions that wait for one model; the next one is answered 503.
        batch: pictures of one ``/predict/batch``.
        body_s: how long a body may take to arrive.
        viewers: of the live page.
    """

    upload_bytes: int = 32 * MIB
    memory_bytes: int = 256 * MIB
    pixels: int = 25_000_000
    queue: int = 16
    batch: int = 32
    body_s: float = 30.0
    viewers: int = 32


@dataclass(frozen=True)
class PeerAddress:
    """Another server whose models can be compared: its name, base URL and token ("" = none)."""

    name: str
    url: str
    token: str = ""


@dataclass(frozen=True)
class ServeConfig:
    """What the command line says; names as there."""

    host: str = "127.0.0.1"
    port: int = 8000
    models: tuple[str, ...] = (DEFAULT_MODEL,)
    labels: str = ""  # label set of models that name none
    read_as: ReadAs = AS_IT_SAYS  # the rest of what such models do not say
    threads: int = 1  # of each network
    socket: str = str(DEFAULT_SOCKET)
    dataset: str = ""
    root: str = ""
    split: str = "val"
    token: str = ""  # "" = none needed, loopback only
    peers: tuple[PeerAddress, ...] = ()
    allow_hosts: tuple[str, ...] = ()  # names under which this server may be asked for
    limits: Limits = field(default_factory=Limits)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(path: str | Path) -> str:
    """The first line of a token file.

    Raises:
        ConfigError: unreadable, or too short to be a secret.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"token file {path} cannot be read ({reason}): {_REMEDY}") from error
    token = lines[0] if len(lines) == 1 else ""
    if len(token) < _TOKEN_CHARACTERS or not token.isascii():
        raise ConfigError(
            f"token file {path}: expected one ASCII word of {_TOKEN_CHARACTERS} characters or "
            f"more; make one with {_REMEDY}"
        )
    return token


def check_config(config: ServeConfig) -> None:
    """Refuse what would be open to others without a token.

    Raises:
        ConfigError: no token on an address that others reach, or a port out of range.
    """
    if not config.token and not is_loopback(config.host):
        raise ConfigError(
            f"--host {config.host}: others can reach this address, so a token is required; give "
            f"--token-file FILE (make one with {_REMEDY}) or leave --host at 127.0.0.1"
        )
    if not 0 <= config.port <= 65535:
        raise ConfigError(f"--port {config.port}: expected 0 (any free one) to 65535")
