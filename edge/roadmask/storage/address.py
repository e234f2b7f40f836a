"""Where an artefact lies: its address taken apart and checked, before anything is opened."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from roadmask.errors import ConfigError

# What reads each scheme, of the extra [cloud].
LIBRARIES = {"s3": "s3fs", "gs": "gcsfs", "https": "aiohttp", "http": "aiohttp", "memory": "fsspec"}
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_address(location: str | Path) -> bool:
    """Whether ``location`` is more than a path: an address, or pinned to a digest."""
    return isinstance(location, str) and ("://" in location or "#sha256=" in location)


def location(text: str) -> str | Path:
    """For argparse: an address as it is, anything else as a path."""
    return text if is_address(text) else Path(text)


@dataclass(frozen=True)
class Address:
    """Where an artefact lies.

    Attributes:
        url: without the digest; a path where there is no scheme.
        sha256: what the content must have, hex; None = anything.
    """

    url: str
    sha256: str | None

    @property
    def scheme(self) -> str:
        """``s3``, ``gs``, ``https``, …; empty for a path."""
        return urlsplit(self.url).scheme if "://" in self.url else ""

    @property
    def name(self) -> str:
        """Last part of the path."""
        return PurePosixPath(urlsplit(self.url).path).name or "artefact"

    def __str__(self) -> str:
        # A signed address carries its secret in the query.
        return f"artefact {self.url.partition('?')[0]}"


def parse_address(text: str, sha256: str | None = None) -> Address:
    """``text`` taken apart; ``sha256`` beside it counts as well.

    Raises:
        ConfigError: an address or digest that cannot be used.
    """
    url, _, pin = text.partition("#")
    if pin and not pin.startswith("sha256="):
        raise ConfigError(f"artefact {url}: '#{pin}' is unknown; expected #sha256=HEX")
    digest = (sha256 or pin.removeprefix("sha256=")).lower() or None
    address = Address(url, digest)
    if digest and not _DIGEST.fullmatch(digest):
        raise ConfigError(f"{address}: {digest!r} is no SHA-256; expected 64 hex digits")
    parts = urlsplit(url)
    if "://" not in url:
        return address
    if parts.scheme not in LIBRARIES:
        raise ConfigError(f"{address}: give an s3://, gs:// or https:// address, or a path")
    if parts.password or (parts.username and parts.scheme != "gs"):
        raise ConfigError("an artefact's address holds a password: leave it to the environment")
    if parts.scheme == "http" and not digest and parts.hostname not in _LOCAL_HOSTS:
        raise ConfigError(
            f"{address}: over http anybody may change it; add #sha256=HEX or use https"
        )
    return address
