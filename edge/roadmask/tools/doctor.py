"""``roadmask doctor``: is this board fit for the daemon, and does its arithmetic hold?

Every check looks at one thing and says what it found; a note is worth knowing, a fault stops the
daemon or falsifies its masks.
"""

from __future__ import annotations

import mmap
import os
import platform
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from roadmask import __version__, _native
from roadmask.errors import ModelError, first_line
from roadmask.inference import reference_kernels as kernels_reference
from roadmask.inference.engine import Engine
from roadmask.inference.golden import read_golden, verify
from roadmask.inference.model_file import read_model
from roadmask.stream import ring
from roadmask.system.clock import now_ns
from roadmask.system.hardware import Device, firmware_versions, read_device
from roadmask.tools.accelerators import accelerators
from roadmask.tools.doors import what_bars
from roadmask.tools.library_version import library_version

OK, NOTE, FAULT = "ok", "note", "fault"
_HOT_C = 80.0  # Raspberry Pi throttles from 80 °C, Jetson from about 85 °C
_PACKAGES = ("numpy", "opencv-python-headless", "ai-edge-litert", "tflite-runtime")
_FEATURES = ("avx512vnni", "avx512bw", "avx2", "fma", "asimd", "asimddp", "i8mm", "sve")


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: what was looked at.
        status: ``ok``, ``note`` or ``fault``.
        text: for people.
    """

    name: str
    status: str
    text: str


def examine(socket: Path, root: Path = Path("/")) -> list[Check]:
    """Look at the machine whose ``/proc`` and ``/sys`` lie under ``root``.

    Args:
        socket: where the daemon would publish.
        root: of the file system, for tests.
    """
    device = read_device(root)
    checks: list[Callable[[], Iterator[Check]]] = [
        lambda: _machine(device, root),
        _kernels,
        _ring,
        lambda: _clock(root),
        lambda: _power(device),
        lambda: _cameras(root),
        lambda: _accelerators(root),
        lambda: _socket_folder(socket),
        lambda: _versions(root),
    ]
    return [check for group in checks for check in group()]


def examine_reader(user: str, socket: Path) -> Check:
    """Whether ``user``, S4's, gets as far as the daemon's socket.

    Raises:
        ConfigError: there is no such user.
    """
    bar = what_bars(user, socket)
    return Check(f"reader {user}", FAULT if bar else OK, bar or f"may connect to {socket}")


def examine_delegate(library: str) -> Check:
    """The version of a delegate's library; whether it runs anything, its placement tells."""
    try:
        return Check(f"delegate {library}", OK, library_version(library))
    except OSError as error:
        return Check(f"delegate {library}", NOTE, f"cannot be loaded: {first_line(error)}")


def verify_model(engine: Engine) -> list[Check]:
    """Say where the network runs on this board, and run its golden frames there.

    Raises:
        ModelError: it has none.
    """
    golden = read_golden(read_model(engine.path))
    if golden is None:
        raise ModelError(
            f"model {engine.path} holds no golden frames: convert it anew with `python -m convert`"
        )
    placement = engine.placement
    checks = [Check("placement", NOTE if placement.fallback else OK, placement.describe())]
    for verdict in verify(engine, golden):
        off = verdict.logit_difference
        logits = (
            "" if off is None else f"logits within {off:.3f} (may be {verdict.tolerance:.3f}), "
        )
        checks.append(
            Check(
                f"golden frame {verdict.name}",
                OK if verdict.passed else FAULT,
                f"{logits}{verdict.wrong_pixels} wrong of the {100 * verdict.clear_share:.0f} % "
                f"clear pixels, {100 * verdict.agreement:.2f} % of all as certified",
            )
        )
    return checks


def to_json(checks: list[Check], engine: Engine | None = None) -> dict[str, Any]:
    """The JSON object of ``roadmask doctor``; ``engine`` is the network that was verified."""
    return {
        "kind": "doctor",
        "fit": all(check.status != FAULT for check in checks),
        "device": read_device().to_json(),
        "kernel_level": _native.kernel_level(),
        "checks": [asdict(check) for check in checks],
        "model": engine.name if engine else None,
        "latency_class": engine.placement.latency_class if engine else None,
        "placement": asdict(engine.placement) if engine else None,
    }


def _machine(device: Device, root: Path) -> Iterator[Check]:
    memory = "" if device.memory_mib is None else f", {device.memory_mib} MiB"
    yield Check(
        "machine", OK, f"{device.name}, {device.architecture}, {device.cpus} processors{memory}"
    )
    try:
        words = set((root / "proc/cpuinfo").read_text(errors="replace").split())
    except OSError:
        words = set()
    found = ", ".join(f for f in _FEATURES if f in words) or "none that matter"
    level, levels = _native.kernel_level(), _native.kernel_levels()
    best = level == levels[-1]
    # What runs when nothing is set is the last, fastest level.
    yield Check(
        "processor",
        OK if best else NOTE,
        f"{found}; kernels run as {level}" + ("" if best else f", {levels[-1]} is there too"),
    )


def _kernels() -> Iterator[Check]:
    """Every level that this processor has, against the NumPy reference, on noise."""
    rng = np.random.default_rng(0)
    logits = rng.integers(-128, 128, (17, 23, 8)).astype(np.int8)
    picture = rng.integers(0, 256, (97, 131, 3), np.uint8)
    table, size = np.arange(8, dtype=np.uint8), (91, 67)
    mask_expected = kernels_reference.argmax_upsample(logits, size, table, 1)[0]
    tensor_expected = kernels_reference.preprocess(picture, (64, 48))
    before = _native.kernel_level()
    wrong = []
    try:
        for level in _native.kernel_levels():
            _native.set_kernel_level(level)
            mask, tensor = np.empty(size[::-1], np.uint8), np.empty((48, 64, 3), np.uint8)
            _native.UpsamplePlan(logits.shape[1::-1], 8, size, table, 1).run(logits, mask)
            _native.PreprocessPlan((131, 97), (64, 48)).run(picture, tensor)
            if (mask != mask_expected).any() or (tensor != tensor_expected).any():
                wrong.append(level)
    finally:
        _native.set_kernel_level(before)
    levels = ", ".join(_native.kernel_levels())
    text = f"{levels}: bit for bit the reference" if not wrong else f"{wrong} differ from it"
    yield Check("kernels", FAULT if wrong else OK, text)


def _ring() -> Iterator[Check]:
    """The sealed shared memory that masks travel in."""
    try:
        fd, memory = ring.create(mmap.PAGESIZE)
    except (OSError, AttributeError) as error:
        yield Check("shared memory", FAULT, f"a sealed memfd cannot be made: {error}")
        return
    try:
        size = ring.checked_size(fd)
        writable = True
        try:
            os.write(fd, b"x")
        except OSError:
            writable = False
        other = ring.open_read_only(fd)
        os.close(other)
        good = size == mmap.PAGESIZE and not writable
        text = "memfd with seals, read-only for subscribers" if good else "the seals do not hold"
        yield Check("shared memory", OK if good else FAULT, text)
    finally:
        memory.close()
        os.close(fd)


def _clock(root: Path) -> Iterator[Check]:
    source = _text(root / "sys/devices/system/clocksource/clocksource0/current_clocksource")
    resolution_ns = time.clock_getres(time.CLOCK_BOOTTIME) * 1e9
    begin_ns, reads = now_ns(), 1000
    for _ in range(reads):
        end_ns = now_ns()
    cost_ns = (end_ns - begin_ns) / reads
    text = f"CLOCK_BOOTTIME in steps of {resolution_ns:.0f} ns, {cost_ns:.0f} ns a read"
    # A read that enters the kernel costs a microsecond and more: the vDSO has no such clock.
    status = OK if resolution_ns <= 1000 and cost_ns < 2000 else NOTE
    yield Check("clock", status, f"{text}, source {source or 'not told'}")


def _power(device: Device) -> Iterator[Check]:
    clock = "" if device.clock_mhz is None else f", now {device.clock_mhz:.0f} MHz"
    if device.governor is None:
        yield Check("governor", OK, f"none to be seen{clock}")
    else:
        advice = "" if device.governor == "performance" else "; 'performance' makes p99 shorter"
        yield Check("governor", NOTE if advice else OK, f"{device.governor}{clock}{advice}")
    if device.temperature_c is None:
        yield Check("temperature", OK, "no sensor to be read")
    else:
        hot = device.temperature_c >= _HOT_C
        text = f"{device.temperature_c:.0f} °C" + ("; the clock will fall" if hot else "")
        yield Check("temperature", NOTE if hot else OK, text)


def _cameras(root: Path) -> Iterator[Check]:
    found = False
    for node in sorted((root / "sys/class/video4linux").glob("video*")):
        found = True
        device = root / "dev" / node.name
        name = _text(node / "name") or "no name"
        if not os.access(device, os.R_OK | os.W_OK):
            yield Check(
                f"camera {device}", NOTE, f"{name}; not yours to open: join the group 'video'"
            )
        else:
            yield Check(f"camera {device}", OK, name)
    picamera = find_spec("picamera2") is not None
    if picamera:
        yield Check("picamera2", OK, "installed: picamera2:0 opens CSI cameras")
    if not found:
        extra = "" if picamera else ", no picamera2"
        yield Check("cameras", NOTE, f"no /dev/video*{extra}: streams, files and the town work")


def _accelerators(root: Path) -> Iterator[Check]:
    for found in accelerators(root):
        yield Check(found.kind, OK if found.usable else NOTE, found.text)


def _socket_folder(socket: Path) -> Iterator[Check]:
    folder = socket.parent
    name = f"socket folder {folder}"
    if not folder.is_dir():
        yield Check(name, NOTE, "missing: the service makes it, or give --socket elsewhere")
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Check(name, NOTE, f"mode {mode:o}, not yours to write: run the daemon as its owner")
    elif mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        yield Check(name, NOTE, f"mode {mode:o}: anybody may put another socket in its place")
    else:
        yield Check(name, OK, f"mode {mode:o}")


def _versions(root: Path) -> Iterator[Check]:
    parts = [f"roadmask {__version__}", f"Python {platform.python_version()}"]
    runtime = False
    for package in _PACKAGES:
        try:
            parts.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
        runtime |= package in ("ai-edge-litert", "tflite-runtime")
    parts.append(f"Linux {platform.release()}")
    parts += [f"{name} {version}" for name, version in firmware_versions(root).items()]
    yield Check("versions", OK if runtime else NOTE, ", ".join(parts))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:
        return None
