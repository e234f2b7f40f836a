"""A stock kernel for the guest: Debian's package, unpacked, and the modules that the tests need."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from roadmask.errors import RoadmaskError

# Loaded in this order, each after what it depends on. Parameters stand behind the name.
_FILES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
# A virtual camera with one capture node, stamped when a frame is done as real drivers do.
VIVID = ("vivid n_devs=1 node_types=0x1 input_types=0x0 num_inputs=1",)
WEBCAM = ("vhci_hcd", "uvcvideo")  # the last ones, see Kernel.webcam_driver


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


def fetch_kernel(cache: Path, architecture: str, modules: tuple[str, ...]) -> Kernel:
    """Download and unpack Debian's kernel into ``cache``, unless it lies there.

    Raises:
        RigError: no such package, or a tool is missing.
    """
    apt = _apt(cache / f"apt-{architecture}", architecture)
    package = _package(apt, architecture)
    release = package.removeprefix("linux-image-")
    wanted = (*_FILES, *modules)
    tree = cache / package
    ready, holds = tree / "ready", "\n".join(wanted)
    if not ready.exists() or ready.read_text() != holds:
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        print(f"v4l2: downloading {package}", flush=True)
        _run(["apt-get", *apt, "download", "-qq", package], tree)
        (deb,) = tree.glob("*.deb")
        _run(["dpkg-deb", "-x", str(deb), "."], tree)
        deb.unlink()
        _run(["depmod", "-b", str(tree), release], tree)
        _prune(tree, _kernel(tree, release, wanted))
        ready.write_text(holds)
    return _kernel(tree, release, wanted)


def _kernel(tree: Path, release: str, wanted: tuple[str, ...]) -> Kernel:
    folder = tree / "lib" / "modules" / release
    return Kernel(tree / "boot" / f"vmlinuz-{release}", _closure(folder, wanted))


def _prune(tree: Path, kernel: Kernel) -> None:
    """Leave what is used: a fiftieth of the 400 MB."""
    used = {kernel.image, *(path for path, _ in kernel.modules)}
    for path in list(tree.rglob("*")):
        if path.is_file() and path not in used and path.name != "modules.dep":
            path.unlink()


def _apt(state: Path, architecture: str) -> list[str]:
    """Options with which apt knows another architecture, by lists of its own beside the host's."""
    own = _run(["dpkg", "--print-architecture"], Path.cwd()).strip()
    if architecture == own:
        return []
    options = [f"APT::Architecture={architecture}", f"APT::Architectures::={architecture}"]
    options += [f"Dir::State={state}", f"Dir::Cache={state}", "Dir::State::status=/dev/null"]
    apt = [word for option in options for word in ("-o", option)]
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    _run(["apt-get", *apt, "update", "-qq"], state)
    return apt


def _package(apt: list[str], architecture: str) -> str:
    # The cloud kernels have no media drivers; the architecture's plain kernel has them all.
    plain = f"linux-image-{architecture}"
    depends = _run(["apt-cache", *apt, "depends", plain], Path.cwd())
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if not found:
        raise RigError(f"apt knows no {plain}: run apt-get update, on Debian")
    return found[1]


def _closure(folder: Path, wanted: tuple[str, ...]) -> list[tuple[Path, str]]:
    """The modules and what they need, dependencies first; built-in ones need no file."""
    needs: dict[str, list[str]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        name, _, others = line.partition(":")
        needs[name] = others.split()
    path_of = {Path(path).name.split(".")[0].replace("-", "_"): path for path in needs}
    ordered: dict[str, str] = {}
    for module in wanted:
        name, _, parameters = module.partition(" ")
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
