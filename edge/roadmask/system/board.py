"""Is the board held back? Heat, supply and clock ceilings, where its firmware tells.

Raspberry Pi: the firmware's throttling word, and the supply's alarm (``rpi_volt``). Jetson: the
over-current and thermal throttle's counters (``soctherm_oc``). Everywhere: the kernel's cooling
devices for the processor, and the ceiling of its clock. What no file tells is not claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from roadmask.system.hardware import read_number, read_text, temperature_c

# Bits of the Pi's word that hold now; the upper half is what has been since the start.
_UNDER_VOLTAGE, _THROTTLED, _SOFT_LIMIT = 1 << 0, 1 << 2, 1 << 3
_FIRMWARE = (
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/devices/platform/axi/soc:firmware/get_throttled",
)
_PROCESSOR_COOLING = ("cpufreq", "processor", "cpu-")


@dataclass(frozen=True)
class BoardState:
    """What the board says now.

    Attributes:
        hot: heat holds it back.
        weak: the supply is too weak, or its current is limited.
        temperature_c: the hottest thermal zone.
        clock_mhz, ceiling_mhz, full_mhz: of the first processor: now, allowed now, possible.
        events: times that the supply was limited since the start, where they are counted.
    """

    hot: bool
    weak: bool
    temperature_c: float | None
    clock_mhz: float | None
    ceiling_mhz: float | None
    full_mhz: float | None
    events: int = 0

    def describe(self) -> str:
        """What it costs, in one line."""
        parts = []
        if self.temperature_c is not None:
            parts.append(f"{self.temperature_c:.0f} °C")
        if self.clock_mhz is not None and self.full_mhz:
            parts.append(f"{self.clock_mhz:.0f} of {self.full_mhz:.0f} MHz")
        return ", ".join(parts) or "no sensor to be read"


def read_board(root: Path = Path("/"), before: BoardState | None = None) -> BoardState:
    """Look at the machine whose ``/sys`` lies under ``root``.

    Args:
        root: of the file system, for tests.
        before: the look before, for what the kernel only counts.
    """
    word = _throttling_word(root)
    frequency = root / "sys/devices/system/cpu/cpu0/cpufreq"
    now, ceiling, full = (
        None if (khz := read_number(frequency / name)) is None else khz / 1000
        for name in ("scaling_cur_freq", "scaling_max_freq", "cpuinfo_max_freq")
    )
    events = _current_limits(root)
    limited = before is not None and events > before.events
    return BoardState(
        hot=bool(word & (_THROTTLED | _SOFT_LIMIT)) or _is_cooled(root),
        weak=bool(word & _UNDER_VOLTAGE) or _supply_alarm(root) or limited,
        temperature_c=temperature_c(root),
        clock_mhz=now,
        ceiling_mhz=ceiling,
        full_mhz=full,
        events=events,
    )


def _throttling_word(root: Path) -> int:
    for name in _FIRMWARE:
        text = read_text(root / name)
        if text is not None:
            try:
                return int(text, 16)
            except ValueError:
                return 0
    return 0


def _supply_alarm(root: Path) -> bool:
    """The Pi's supply monitor: its alarm is there only while the voltage is low."""
    monitors = (root / "sys/class/hwmon").glob("hwmon*")
    return any(
        read_text(monitor / "name") == "rpi_volt" and read_number(monitor / "in0_lcrit_alarm") == 1
        for monitor in monitors
    )


def _current_limits(root: Path) -> int:
    """Jetson's over-current events so far."""
    counters = (root / "sys/class/hwmon").glob("hwmon*/oc*_event_cnt")
    return int(sum(read_number(counter) or 0 for counter in counters))


def _is_cooled(root: Path) -> bool:
    """The kernel slows the processor down; fans are cooling devices too, and cost nothing."""
    for device in (root / "sys/class/thermal").glob("cooling_device*"):
        kind = (read_text(device / "type") or "").lower()
        if any(word in kind for word in _PROCESSOR_COOLING) and (
            read_number(device / "cur_state") or 0
        ):
            return True
    return False
