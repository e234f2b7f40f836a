"""The libraries that reach object stores, and what they raise as one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from roadmask.errors import ConfigError, DataError, RoadmaskError
from roadmask.storage.address import LIBRARIES, Address


def open_store(address: Address) -> tuple[Any, str]:
    """fsspec's file system for that address, and the path in it.

    Raises:
        ConfigError: its library is missing.
    """
    scheme = address.scheme
    try:
        import fsspec

        options = {}
        if scheme in ("http", "https"):
            import aiohttp

            limits = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
            options = {"client_kwargs": {"timeout": limits}}
        # use_listings_cache: a store that has changed since is seen by the same process.
        files, path = fsspec.core.url_to_fs(address.url, use_listings_cache=False, **options)
    except ImportError as error:
        library = LIBRARIES[scheme]
        raise ConfigError(
            f"{address} needs {library}: install the extra, pip install 'roadmask[cloud]'"
        ) from error
    return files, path


@contextlib.contextmanager
def store_errors(address: Address, done: str = "fetched") -> Iterator[None]:
    """Whatever a store's library raises, as one line."""
    try:
        yield
    except RoadmaskError:
        raise
    except FileNotFoundError as error:
        # fsspec also says this of a server that does not answer.
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError):
            text = _plain(cause, address)
            raise DataError(f"{address} cannot be {done}: {text}; check the network") from error
        raise DataError(f"{address} is missing: check the address") from error
    except PermissionError as error:
        raise DataError(f"{address} may not be {done}: check the credentials") from error
    except Exception as error:  # each library has a tree of its own
        raise DataError(f"{address} cannot be {done}: {_plain(error, address)}") from error


def _plain(error: Exception, address: Address) -> str:
    text = " ".join(str(error).replace(address.url, str(address)).split())[:300]
    return f"{type(error).__name__} {text}"
