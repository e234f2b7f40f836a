"""The C++ reader of the measurement, built on first use, and the ZeroMQ library that it loads."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path

from roadmask.errors import ConfigError

_REPOSITORY = Path(__file__).resolve().parents[2]
_BUILD = _REPOSITORY / "build" / "benchmarks"


@functools.cache
def reader_program() -> Path:
    """Path of the built ``stream_reader``.

    Raises:
        ConfigError: CMake or a C++ compiler is missing, or the build fails.
    """
    beside = Path(sys.executable).with_name("cmake")
    cmake = str(beside) if beside.exists() else shutil.which("cmake")
    if cmake is None:
        raise ConfigError("CMake is not installed: pip install cmake, or --languages python")
    options = ["-DROADMASK_PYTHON=OFF", "-DROADMASK_BENCHMARKS=ON"]
    for command in (
        [cmake, "-S", str(_REPOSITORY), "-B", str(_BUILD), *options],
        [cmake, "--build", str(_BUILD), "--target", "stream_reader"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines()[-1]
            raise ConfigError(f"the C++ reader does not build ({reason}): give --languages python")
    return _BUILD / "benchmarks" / "stream_reader"


@functools.cache
def zeromq_library() -> Path:
    """The libzmq that this process's ``zmq`` module is linked with.

    Raises:
        ConfigError: ZeroMQ's binding is missing, or it does not use a shared library.
    """
    try:
        import zmq  # noqa: F401
    except ImportError as error:
        raise ConfigError("ZeroMQ is not installed: pip install --group benchmarks") from error
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "libzmq" in line.rsplit("/", 1)[-1]:
            return Path(line.split(maxsplit=5)[5])
    raise ConfigError("the zmq module brings no libzmq to load: give --languages python")
