"""What ``roadmask serve`` was told, and the limits that keep its memory bounded."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from roadmask.errors import ConfigError
from roadmask.inference.model_file import DEFAULT_MODEL
from roadmask.inference.reading.read_as import ReadAs
from roadmask.stream.protocol import DEFAULT_SOCKET
from roadmask.system.bounded import read_bounded
from roadmask.system.files import told
from roadmask.system.forms import Form
from roadmask.system.ranges import THREADS, between
from roadmask.system.settings import check, setting, settings_of

MIB = 1 << 20
_TOKEN_CHARACTERS, _TOKEN_BYTES = 16, 1 << 16
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


_NAMED = r"[^=\0]+=[^\0]+"


@dataclass(frozen=True)
class ServeConfig(ReadAs):
    """What ``roadmask serve`` takes, on the command line or as ``[serve]`` of a TOML file.

    Attributes:
        token: of ``token_file``; "" = none needed, loopback only.
        peers: of ``peer`` and ``peer_token``.
        limits: of the settings that bound memory.
    """

    host: str = setting("127.0.0.1", "address to listen on: this machine's own unless told")
    port: int = setting(8000, "0 = any free one, which is printed", within=between(0, 65535))
    models: tuple[str, ...] = setting(
        (DEFAULT_MODEL,),
        "a .tflite file, or the name of a shipped model",
        option="--model",
        metavar="M",
    )
    labels: str = setting("", "label set of models that name none", metavar="SET|FILE")
    threads: int = setting(1, "threads of each network", within=THREADS)
    socket: str = setting(DEFAULT_SOCKET, "the daemon's socket, for the live page")
    dataset: str = setting("", "gallery: camvid, cityscapes or town", metavar="NAME")
    root: str = setting("", "folder of the data set", metavar="DIR")
    split: str = setting("val", "of the data set")
    drives: str = setting(
        "", "recordings of the timeline: an MCAP file, or a folder of them", metavar="PATH"
    )
    results: str = setting(
        "", "where evaluations are written: a folder, or s3:// or gs://", metavar="ADDRESS"
    )
    token_file: str = setting("", "file with the token that callers must give", metavar="F")
    peer: tuple[str, ...] = setting(
        (),
        "another server whose models can be compared",
        form=Form(_NAMED, "NAME=URL"),
        metavar="NAME=URL",
    )
    peer_token: tuple[str, ...] = setting(
        (),
        "the token that a peer asks for",
        form=Form(_NAMED, "NAME=FILE"),
        metavar="NAME=FILE",
    )
    allow_hosts: tuple[str, ...] = setting(
        (),
        "a name under which this server may be asked for, beside its address",
        option="--allow-host",
        metavar="NAME",
    )
    trusted_proxy: tuple[str, ...] = setting(
        (),
        "a proxy that speaks TLS for this server: its X-Forwarded-Proto and -For are believed",
        metavar="ADDRESS",
    )
    max_upload_mib: int = setting(
        32, "body of one upload", unit="MiB", within=between(1, 4096), metavar="N"
    )
    max_megapixels: float = setting(
        25.0, "of one picture", within=between(0.001, 1000.0), metavar="N"
    )
    queue: int = setting(
        16, "predictions that wait for one model", within=between(1, 10_000), metavar="N"
    )
    token: str = ""
    peers: tuple[PeerAddress, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        check(self)


def limits_of(config: ServeConfig) -> Limits:
    """What the settings say of memory."""
    upload_bytes = config.max_upload_mib * MIB
    return Limits(
        upload_bytes=upload_bytes,
        memory_bytes=8 * upload_bytes,
        pixels=round(config.max_megapixels * 1e6),
        queue=config.queue,
    )


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
        lines = read_bounded(path, _TOKEN_BYTES).decode().split()
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
    """Refuse what would be open to others without a token, and what cannot be told.

    Raises:
        ConfigError: no token on an address that others reach, a proxy that is no address, or a
            name that the pages cannot show.
    """
    for name in settings_of(ServeConfig):
        value = getattr(config, name)
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and told(text) != text:
                raise ConfigError(
                    f"{name} {told(text)}: expected UTF-8 without control characters, as the pages "
                    "tell it; rename it, or give a link to it"
                )
    for proxy in config.trusted_proxy:
        try:
            ipaddress.ip_network(proxy)
        except ValueError:
            raise ConfigError(
                f"--trusted-proxy {proxy}: expected an address or a network of addresses, "
                "e.g. 127.0.0.1 or 10.0.0.0/8"
            ) from None
    if not config.token and not is_loopback(config.host):
        raise ConfigError(
            f"--host {config.host}: others can reach this address, so a token is required; give "
            f"--token-file FILE (make one with {_REMEDY}) or leave --host at 127.0.0.1"
        )
