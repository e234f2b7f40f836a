"""A stock kernel for the guest: Debian's package, unpacked, and the modules that the tests need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from roadmask.errors import RoadmaskError

# The cloud kernels have no media drivers; the architecture's plain kernel has them all.
_META_PACKAGE = "linux-image-amd64"
# Loaded in this order, each after what it depends on. Parameters stand behind the name.
MODULES = (
    "virtio_pci",
    "9pnet_virtio",
    "9p",
    # A virtual camera with one capture node, stamped when a frame is done as real drivers do.
    "vivid n_devs=1 node_types=0x1 input_types=0x0 num_inputs=1",
    "vhci_hcd",
    "uvcvideo",  # the last one, see Kernel.webcam_driver
)


class RigError(RoadmaskError):
    """The machine cannot be made; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel.

    Attributes:
        image: what QEMU boots.
        modules: the files to load, in order, with their parameters.
    """

    image: Path
    modules: list[tuple[Path, str]]

    @property
    def webcam_driver(self) -> Path:
        """The last of the modules: nothing needs it."""
        return self.modules[-1][0]


def fetch_kernel(cache: Path) -> Kernel:
    """Download and unpack Debian's kernel into ``cache``, unless it lies there.

    Raises:
        RigError: no such package, or a tool is missing.
    """
    package = _package()
    release = package.removeprefix("linux-image-")
    tree = cache / package
    if not (tree / "ready").exists():
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        print(f"v4l2: downloading {package}", flush=True)
        _run(["apt-get", "download", "-qq", package], tree)
        (deb,) = tree.glob("*.deb")
        _run(["dpkg-deb", "-x", str(deb), "."], tree)
        deb.unlink()
        _run(["depmod", "-b", str(tree), release], tree)
        _prune(tree, release)
        (tree / "ready").touch()
    return _kernel(tree, release)


def _kernel(tree: Path, release: str) -> Kernel:
    folder = tree / "lib" / "modules" / release
    return Kernel(tree / "boot" / f"vmlinuz-{release}", _closure(folder))


def _prune(tree: Path, release: str) -> None:
    """Leave what is used: a fiftieth of the 400 MB."""
    kernel = _kernel(tree, release)
    used = {kernel.image, *(path for path, _ in kernel.modules)}
    for path in list(tree.rglob("*")):
        if path.is_file() and path not in used and path.name != "modules.dep":
            path.unlink()


def _package() -> str:
    depends = _run(["apt-cache", "depends", _META_PACKAGE], Path.cwd())
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if not found:
        raise RigError(f"apt knows no {_META_PACKAGE}: run apt-get update, on Debian for amd64")
    return found[1]


def _closure(folder: Path) -> list[tuple[Path, str]]:
    """The modules and what they need, dependencies first; built-in ones need no file."""
    needs: dict[str, list[str]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        name, _, others = line.partition(":")
        needs[name] = others.split()
    path_of = {Path(path).name.split(".")[0].replace("-", "_"): path for path in needs}
    ordered: dict[str, str] = {}
    for wanted in MODULES:
        name, _, parameters = wanted.partition(" ")
        path = path_of.get(name.replace("-", "_"))
        if path is None:
            continue
        for needed in reversed(needs[path]):
            ordered.setdefault(needed, "")
        ordered.setdefault(path, parameters)
    return [(folder / path, parameters) for path, parameters in ordered.items()]


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise RigError(f"{command[0]} is missing: apt install apt dpkg kmod") from error
    except subprocess.CalledProcessError as error:
        raise RigError(f"{' '.join(command)}: {error.stderr.strip()}") from error
    return done.stdout
