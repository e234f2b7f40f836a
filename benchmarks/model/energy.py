"""Energy of a stretch of work, where the board has a meter that may be read.

Intel and AMD processors count microjoules (RAPL, ``/sys/class/powercap``); Jetson boards carry INA
power monitors, which give milliwatts (JetPack 5 and later: ``/sys/class/hwmon`` by name ina3221).
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_PERIOD_S = 0.05  # between two readings of a power monitor


@dataclass(frozen=True)
class Meter:
    """A place to read from.

    Attributes:
        name: ``rapl package-0``, ``ina3221 VDD_IN``.
        path: counter of microjoules, or volts and amperes, see ``current_path``.
        wrap_uj: where a counter starts anew; 0 for a power monitor.
        current_path: milliamperes beside ``path``'s millivolts; None for a counter.
    """

    name: str
    path: Path
    wrap_uj: int = 0
    current_path: Path | None = None


def find_meter(root: Path = Path("/")) -> Meter | None:
    """The whole processor's or board's meter, None where there is none that can be read."""
    for zone in sorted((root / "sys/class/powercap").glob("*rapl:?")):
        name, wrap = _text(zone / "name"), _number(zone / "max_energy_range_uj")
        if name and wrap and _number(zone / "energy_uj") is not None:
            return Meter(f"rapl {name}", zone / "energy_uj", wrap)
    for chip in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        if _text(chip / "name") not in ("ina3221", "ina3221x"):
            continue
        # The first channel is the board's input on every Jetson (VDD_IN, POM_5V_IN).
        volts, amperes = chip / "in1_input", chip / "curr1_input"
        if _number(volts) is not None and _number(amperes) is not None:
            return Meter(f"ina3221 {_text(chip / 'in1_label') or 'in1'}", volts, 0, amperes)
    return None


class EnergyCounter:
    """Joules between entering and leaving; ``joules`` is None without a meter.

    Attributes:
        meter: what is read.
        joules: of the stretch, after it.
        seconds: its length.
    """

    def __init__(self, meter: Meter | None) -> None:
        self.meter = meter
        self.joules: float | None = None
        self.seconds = 0.0

    def __enter__(self) -> EnergyCounter:
        self._begin_s = time.perf_counter()
        self._first_uj = self._uj()
        self._stop = threading.Event()
        self._watts: list[float] = []
        self._thread: threading.Thread | None = None
        if self.meter and self.meter.current_path:
            self._thread = threading.Thread(target=self._sample, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._begin_s
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            if self._watts:
                self.joules = sum(self._watts) / len(self._watts) * self.seconds
            return
        last_uj = self._uj()
        if self.meter and self._first_uj is not None and last_uj is not None:
            used = last_uj - self._first_uj
            self.joules = (used + self.meter.wrap_uj if used < 0 else used) / 1e6

    def _uj(self) -> int | None:
        return _number(self.meter.path) if self.meter and not self.meter.current_path else None

    def _sample(self) -> None:
        assert self.meter is not None and self.meter.current_path is not None
        while True:
            millivolts, milliamperes = _number(self.meter.path), _number(self.meter.current_path)
            if millivolts is not None and milliamperes is not None:
                self._watts.append(millivolts * milliamperes / 1e6)
            if self._stop.wait(_PERIOD_S):
                return


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip() or None
    except OSError:
        return None


def _number(path: Path) -> int | None:
    try:
        return int(_text(path) or "")
    except ValueError:
        return None
