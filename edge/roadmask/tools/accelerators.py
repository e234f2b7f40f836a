"""Which accelerators this board has, and what keeps the daemon from one that it has."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from roadmask.tools.library_version import library_version


class Found(NamedTuple):
    """One look: a kind of accelerator, whether it may run, and what was seen."""

    kind: str
    usable: bool
    text: str


class _Kind(NamedTuple):
    name: str
    nodes: str  # below /dev
    library: str
    option: str
    group: str  # whose members may open the nodes
    usb: tuple[str, ...] = ()  # vendor:product, before and after its firmware is loaded


_KINDS = (
    _Kind("GPU", "dri/renderD*", "libvulkan.so.1", "--gpu", "render"),
    _Kind(
        "Edge TPU",
        "apex_*",
        "libedgetpu.so.1",
        "--delegate libedgetpu.so.1",
        "apex",
        ("1a6e:089a", "18d1:9302"),
    ),
)


def accelerators(
    root: Path = Path("/"), version: Callable[[str], str] = library_version
) -> Iterator[Found]:
    """Those of which this machine has a device or a library.

    That one may run is no promise: what of a network it takes, ``doctor --verify`` shows.

    Args:
        root: of the file system, for tests.
        version: of a library; raises OSError for one that cannot be loaded.
    """
    for kind in _KINDS:
        nodes = sorted((root / "dev").glob(kind.nodes))
        library = ""
        with suppress(OSError):
            library = f"{kind.library} ({version(kind.library)})"
        usb = [name for name in _usb(root) if name in kind.usb]
        if not nodes and not usb and not library:
            continue
        closed = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
        missing = []
        if not nodes and not usb:
            missing.append(f"no /dev/{kind.nodes}" + (", none on USB" if kind.usb else ""))
        elif not usb and len(closed) == len(nodes):
            missing.append(f"{closed[0]} is not yours to open: join the group '{kind.group}'")
        if not library:
            missing.append(f"{kind.library} is not installed")
        seen = ", ".join([*map(str, nodes), *(f"USB {name}" for name in usb), library]).rstrip(", ")
        if missing:
            text = f"{seen}, but {' and '.join(missing)}: {kind.option} falls back"
        else:
            text = f"{seen}: `doctor --verify MODEL {kind.option}` shows what runs there"
        yield Found(kind.name, not missing, text)


def _usb(root: Path) -> Iterator[str]:
    for vendor in sorted((root / "sys/bus/usb/devices").glob("*/idVendor")):
        with suppress(OSError):
            product = vendor.with_name("idProduct")
            yield f"{vendor.read_text().strip()}:{product.read_text().strip()}"
