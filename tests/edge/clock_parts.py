"""Processes whose clock is the test's: Python, the extension module and C++ alike."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest


class ShiftedClock:
    """CLOCK_BOOTTIME and CLOCK_REALTIME of every process that runs in ``environment``."""

    def __init__(self, folder: Path, boottime_ns: int = 0) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler")
        library, self._shifts = folder / "shifted_clock.so", folder / "shifts"
        if not library.exists():
            source = Path(__file__).with_name("shifted_clock.c")
            subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        self._shifts.write_bytes(bytes(16))
        self.shift(boottime_ns)
        self.environment = {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(self._shifts)}

    def shift(self, boottime_ns: int = 0, realtime_ns: int = 0) -> None:
        """How far the two are ahead from now on."""
        with self._shifts.open("r+b") as file:
            file.write(struct.pack("<qq", boottime_ns, realtime_ns))
