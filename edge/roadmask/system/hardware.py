"""The machine: board or processor, governor, clock, heat, memory; for doctor and benchmarks."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# No processor runs outside these. A zone that sleeps or has no sensor cannot be read, or says 0,
# absolute zero or the largest number that its register holds (655350 °C was seen).
_COLDEST_C, _HOTTEST_C = -50, 150


@dataclass(frozen=True)
class Device:
    """A machine as its own files describe it; None where it does not tell.

    Attributes:
        name: the board's model from the device tree (Raspberry Pi, Jetson), else the processor's.
        architecture: ``aarch64``, ``x86_64``, …
        cpus: processors that this process may use.
        governor: of the first processor, as cpufreq names it.
        clock_mhz: of the first processor, now.
        temperature_c: the hottest thermal zone, now, degrees Celsius.
        memory_mib: installed.
        load: mean number of runnable processes over the last minute.
    """

    name: str
    architecture: str
    cpus: int
    governor: str | None
    clock_mhz: float | None
    temperature_c: float | None
    memory_mib: int | None
    load: float

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object."""
        return asdict(self)


def read_device(root: Path = Path("/")) -> Device:
    """Describe the machine whose ``/proc`` and ``/sys`` lie under ``root``."""
    frequency = root / "sys/devices/system/cpu/cpu0/cpufreq"
    clock_khz = read_number(frequency / "scaling_cur_freq")
    return Device(
        name=_board(root) or processor_name(root),
        architecture=platform.machine(),
        cpus=len(os.sched_getaffinity(0)),
        governor=read_text(frequency / "scaling_governor"),
        clock_mhz=clock_khz / 1000 if clock_khz is not None else _cpuinfo_clock(root),
        temperature_c=temperature_c(root),
        memory_mib=_memory(root),
        load=round(os.getloadavg()[0], 2),
    )


def temperature_c(root: Path = Path("/")) -> float | None:
    """The hottest thermal zone, degrees Celsius; None where none tells one that can be."""
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    readings = [t / 1000 for t in map(read_number, zones) if t is not None]
    return max((t for t in readings if t and _COLDEST_C < t < _HOTTEST_C), default=None)


# Modules whose version matters to masks: cameras and accelerators.
_DRIVERS = ("uvcvideo", "v4l2loopback", "apex", "gasket", "nvidia", "hailo_pci", "rockchip_rknpu")
_FIRMWARE = {
    "bootloader": "proc/device-tree/chosen/bootloader/version",
    "Jetson Linux": "etc/nv_tegra_release",
}


def firmware_versions(root: Path = Path("/")) -> dict[str, str]:
    """Versions of drivers and firmware that tell one, by name."""
    found = {name: read_text(root / "sys/module" / name / "version") for name in _DRIVERS}
    found |= {name: read_text(root / place) for name, place in _FIRMWARE.items()}
    return {name: " ".join(text.split())[:60] for name, text in found.items() if text}


def read_text(path: Path) -> str | None:
    """What a file of the kernel says; None where it is not there, empty or not to be read."""
    try:
        # A device tree's strings end in NUL.
        return path.read_text(errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def read_number(path: Path) -> float | None:
    """The same as a number."""
    text = read_text(path)
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _board(root: Path) -> str | None:
    return read_text(root / "proc/device-tree/model") or read_text(
        root / "sys/firmware/devicetree/base/model"
    )


def _cpuinfo(root: Path, *keys: str) -> str | None:
    for line in (read_text(root / "proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in keys and value.strip():
            return value.strip()
    return None


def processor_name(root: Path = Path("/")) -> str:
    """The processor as the kernel names it, else its architecture."""
    return _cpuinfo(root, "model name", "Model", "Hardware") or platform.machine()


def _cpuinfo_clock(root: Path) -> float | None:
    text = _cpuinfo(root, "cpu MHz")
    return float(text) if text else None


def _memory(root: Path) -> int | None:
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return None
