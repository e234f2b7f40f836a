"""The table of faults: camera, picture, network, readers, machine, settings."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from roadmask.inference.model_file import DEFAULT_MODEL, model_path
from roadmask.stream.modes import Mode, NoMask, Reason
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.tools.faults.fault import Fault, goes_on, logged, nothing, refused, root_needed, says
from roadmask.tools.faults.patient import Patient

_GARBAGE = b"no model at all"


def does(word: str) -> Callable[[Patient], None]:
    """The camera does that from now on."""
    return lambda patient: patient.camera.do(word)


def _camera(word: str, reasons: Reason, mode: Mode, name: str = "", within_s: float = 6.0) -> Fault:
    expected = f"{mode.name} {reasons.name}"
    return Fault(
        "camera", name or f"pictures: {word}", expected, does(word), says(mode, reasons), within_s,
        does("good"),
    )  # fmt: skip


def _no_masks(patient: Patient) -> bool:
    return patient.shows(Mode.STALE, Reason.NONE) or patient.shows(Mode.FAULT, Reason.NONE)


CAMERA = [
    Fault(
        "camera", "absent at the start", "FAULT CAMERA_LOST, then masks",
        nothing, says(Mode.FAULT, Reason.CAMERA_LOST), 10.0,
        lambda p: p.camera.appear(), 5.0, at_start=True,
    ),
    Fault(
        "camera", "a V4L2 device that is not there", "FAULT CAMERA_LOST",
        nothing, says(Mode.FAULT, Reason.CAMERA_LOST), 10.0, None, at_start=True,
        arguments=lambda folder: ("--source", "v4l2:/dev/video99"),
    ),
    Fault(
        "camera", "gone, and back", "FAULT CAMERA_LOST",
        lambda p: p.camera.vanish(), says(Mode.FAULT, Reason.CAMERA_LOST), 4.0,
        lambda p: p.camera.appear(), 8.0,
    ),
    Fault(
        "camera", "delivers nothing", "STALE or FAULT, no masks",
        does("stalls"), _no_masks, 3.0, does("good"), 12.0,
    ),
    Fault(
        "camera", "a fifth of its rate", "DEGRADED LOW_RATE",
        does("slow"), says(None, Reason.LOW_RATE), 12.0, does("good"), 20.0,
    ),
    Fault(
        "camera", "no decodable picture", "no masks: STALE or FAULT",
        does("garbage"), _no_masks, 5.0, does("good"), 15.0,
    ),
    Fault(
        "camera", "pictures of twice the size", "masks go on",
        does("larger"), goes_on, 20.0, does("good"), 10.0,
    ),
    Fault(
        "camera", "age not told", "no mask for S4: AGE_UNKNOWN",
        nothing, lambda p: _refuses(p, NoMask.AGE_UNKNOWN), 20.0, None, at_start=True,
        arguments=lambda folder: ("--source", _url(folder), "--live"),
    ),
    Fault(
        "camera", "liveness not asserted", "no mask for S4: NOT_LIVE",
        nothing, lambda p: _refuses(p, NoMask.NOT_LIVE), 20.0, None, at_start=True,
        arguments=lambda folder: ("--source", _url(folder)),
    ),
    _camera("dark", Reason.DARK, Mode.DEGRADED),
    _camera("white", Reason.OVEREXPOSED, Mode.DEGRADED),
    _camera("covered", Reason.BLOCKED, Mode.DEGRADED),
    _camera("noise", Reason.BLOCKED, Mode.DEGRADED),
    _camera("grey", Reason.BLOCKED, Mode.DEGRADED),
    _camera("frozen", Reason.FROZEN, Mode.STALE),
]  # fmt: skip


def _engine(number: int, name: str, within_s: float) -> Fault:
    return Fault(
        "network", name, "FAULT INFERENCE_FAILED, then masks in the same stream",
        lambda p: os.kill(p.engine(), number), says(Mode.FAULT, Reason.INFERENCE_FAILED), within_s,
        nothing, 10.0,
    )  # fmt: skip


def _crash_thrice(patient: Patient) -> None:
    for _ in range(3):
        old = {patient.engine()}
        os.kill(patient.engine(), signal.SIGKILL)
        patient.until("another engine", partial(_another, patient, old))


def _another(patient: Patient, old: set[int]) -> bool:
    return bool(set(patient.engines()) - old)


def _pause(patient: Patient) -> None:
    engine = patient.engine()
    os.kill(engine, signal.SIGSTOP)
    time.sleep(0.3)
    os.kill(engine, signal.SIGCONT)


def _linked(folder: Path, name: str = "m") -> tuple[str, ...]:
    current = folder / "model.tflite"
    current.symlink_to(model_path(name))
    return "--model", str(current), "--budget-ms", "2000"


def _link(patient: Patient, to: Path) -> None:
    draft = patient.folder / ".draft"
    draft.symlink_to(to)
    draft.rename(patient.folder / "model.tflite")


def _link_damaged(patient: Patient) -> None:
    damaged = bytearray(model_path("s").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path = patient.folder / "damaged.tflite"
    path.write_bytes(damaged)
    _link(patient, path)


def _lose_on_probation(patient: Patient) -> None:
    _link(patient, model_path("s"))
    patient.until("the other model", lambda: "took over" in patient.said)
    os.kill(patient.engine(), signal.SIGKILL)


NETWORK = [
    _engine(signal.SIGKILL, "killed", 2.0),
    _engine(signal.SIGSEGV, "segmentation fault", 2.0),
    _engine(signal.SIGABRT, "aborted", 2.0),
    _engine(signal.SIGSTOP, "hangs for ever", 4.0),
    Fault(
        "network", "killed three times in a row", "named, and recovered",
        _crash_thrice, logged("engine started anew"), 15.0, nothing, 15.0,
    ),
    Fault(
        "network", "paused for 0.3 s", "goes on, at most late", _pause, goes_on, 20.0,
    ),
    Fault(
        "network", "delegate missing", "DEGRADED CPU_FALLBACK", nothing,
        says(Mode.DEGRADED, Reason.CPU_FALLBACK), 20.0, nothing, 10.0, at_start=True,
        arguments=lambda folder: ("--delegate", "libnone.so"),
    ),
    Fault(
        "network", "not verified", "DEGRADED UNVERIFIED", nothing,
        says(Mode.DEGRADED, Reason.UNVERIFIED), 20.0, nothing, 10.0, at_start=True,
        arguments=lambda folder: ("--no-verify",),
    ),
    Fault(
        "network", "switched to a damaged model", "refused in the log, masks go on",
        _link_damaged, logged("the model stays what it is"), 20.0, nothing, 10.0,
        arguments=_linked,
    ),
    Fault(
        "network", "switched to a model that crashes", "the one before goes on at once",
        _lose_on_probation, logged("is given up for"), 30.0, nothing, 10.0, arguments=_linked,
    ),
    Fault(
        "network", "switched to a missing file", "masks go on",
        lambda p: _link(p, Path("/nowhere.tflite")), goes_on, 20.0, arguments=_linked,
    ),
]  # fmt: skip


def _refuses(patient: Patient, reason: NoMask) -> bool:
    patient.stream.receive(timeout_s=0.0, copy=False)
    if patient.stream.status is None:
        return False
    with Subscriber(str(patient.socket), max_age_ms=1000) as s4:
        patient.until(reason.name, lambda: s4.receive(timeout_s=0.1) or s4.reason is reason, 20)
        return s4.reason is reason


def _url(folder: Path) -> str:
    return (folder / "url").read_text()


def _silent(patient: Patient) -> bool:
    patient.stream.receive(timeout_s=0.0, copy=False)
    return patient.stream.reason is NoMask.SILENT


def _gone(patient: Patient) -> bool:
    patient.process.poll()
    return not patient.socket.exists() and not patient.socket.with_name("masks.sock.lock").exists()


def _ended(patient: Patient) -> bool:
    return patient.process.poll() == 0 and _gone(patient)


def _flood(patient: Patient) -> None:
    for _ in range(300):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            peer.setblocking(False)
            peer.connect_ex(str(patient.socket))


def _lazy_readers(patient: Patient) -> None:
    """Connections that never read; they stay until this process is done with the fault."""
    peers = []
    for _ in range(8):
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        peer.connect(str(patient.socket))
        peers.append(peer)
    time.sleep(1)
    patient.kept += peers


def _crowd(patient: Patient) -> bool:
    readers = [Subscriber(str(patient.socket), **TAKE_EVERYTHING) for _ in range(40)]
    try:
        for reader in readers:
            reader.receive(timeout_s=0.5)
        return any(reader.reason is NoMask.NO_PLACE for reader in readers)
    finally:
        for reader in readers:
            reader.close()


def _second(patient: Patient) -> bool:
    command = [sys.executable, "-m", "roadmask", "run", "--socket", str(patient.socket)]
    command += ["--source", "synthetic:town?seed=1&width=320&height=240"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1


STREAM = [
    Fault(
        "stream", "daemon killed (-9)", "socket and lock are gone",
        lambda p: p.signal(signal.SIGKILL), _gone, 5.0, None,
    ),
    Fault(
        "stream", "daemon stopped (SIGSTOP)", "SILENT, then masks",
        lambda p: p.signal(signal.SIGSTOP), _silent, 1.0, lambda p: p.signal(signal.SIGCONT),
    ),
    Fault(
        "stream", "SIGTERM", "ends in order, exit code 0",
        lambda p: p.signal(signal.SIGTERM), _ended, 10.0, None,
    ),
    Fault("stream", "SIGHUP", "goes on", lambda p: p.signal(signal.SIGHUP), goes_on, 20.0),
    Fault("stream", "socket file removed", "made again", lambda p: p.socket.unlink(),
          lambda p: p.socket.exists(), 2.0),
    Fault("stream", "300 who connect and leave", "masks go on", _flood, goes_on, 20.0),
    Fault("stream", "eight readers that never read", "masks go on", _lazy_readers, goes_on, 20.0),
    Fault("stream", "forty readers", "the last are told: no place", nothing, _crowd, 60.0),
    Fault("stream", "a second daemon at the socket", "that one is refused", nothing, _second, 60.0),
]  # fmt: skip


def _under(folder_of: str, files: dict[str, str]) -> tuple[str, ...]:
    """A command line that runs another with files of its own below a folder of /sys."""
    writes = " && ".join(
        f"mkdir -p {folder_of}/{Path(name).parent} && echo {text} > {folder_of}/{name}"
        for name, text in files.items()
    )
    script = f'mount -t tmpfs none {folder_of} && {writes} && exec "$@"'
    return "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "board"


def _no_board() -> str:
    return root_needed() or ("" if shutil.which("unshare") else "no unshare")


def _cool_down(patient: Patient) -> None:
    root = Path(f"/proc/{patient.process.pid}/root")  # as the daemon sees it
    (root / "sys/class/thermal/cooling_device0/cur_state").write_text("0")


_HOT = {"cooling_device0/type": "cpufreq-cpu0", "cooling_device0/cur_state": "3"}
_WEAK = {"soc/soc:firmware/get_throttled": "1"}  # under-voltage now, as a Raspberry Pi says

MACHINE = [
    Fault(
        "machine", "processor throttled by heat", "DEGRADED THERMAL", nothing,
        says(Mode.DEGRADED, Reason.THERMAL), 20.0, None, at_start=True, needs=_no_board,
        before=_under("/sys/class/thermal", _HOT),
    ),
    Fault(
        "machine", "throttled for long, then cool", "DEGRADED REDUCED: half the frames; all again",
        nothing, says(Mode.DEGRADED, Reason.REDUCED | Reason.THERMAL), 30.0,
        _cool_down, 50.0, at_start=True, needs=_no_board,
        before=_under("/sys/class/thermal", _HOT),
    ),
    Fault(
        "machine", "supply too weak", "DEGRADED POWER", nothing,
        says(Mode.DEGRADED, Reason.POWER), 20.0, None, at_start=True, needs=_no_board,
        before=_under("/sys/devices/platform", _WEAK),
    ),
    Fault(
        "machine", "no descriptors left (ulimit -n)", "readers in the house go on",
        lambda p: _crowd(p), goes_on, 60.0, before=("sh", "-c", 'ulimit -n 48 && exec "$@"', "few"),
    ),
    Fault(
        "machine", "flight recorder has no room", "one line in the log, masks go on",
        lambda p: os.kill(p.engine(), signal.SIGKILL), logged("flight recorder: "), 20.0,
        arguments=lambda folder: ("--flight", "/proc/nowhere"),
    ),
]  # fmt: skip


def _file(folder: Path, name: str, content: bytes) -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def _wrong(name: str, text: str, arguments: Callable[[Path], tuple[str, ...]]) -> Fault:
    return Fault(
        "settings", name, f"exit code 2, one line: ... {text}", nothing, refused(text), 20.0, None,
        at_start=True, arguments=arguments,
    )  # fmt: skip


def _cut(folder: Path, keep: float) -> str:
    data = model_path(DEFAULT_MODEL).read_bytes()
    return _file(folder, "cut.tflite", data[: int(keep * len(data))])


def _flipped(folder: Path) -> str:
    data = bytearray(model_path(DEFAULT_MODEL).read_bytes())
    data[len(data) // 2] ^= 1
    return _file(folder, "flipped.tflite", bytes(data))


SETTINGS = [
    _wrong("model missing", "is missing", lambda f: ("--model", "/nowhere.tflite")),
    _wrong("no model at all", "is not a", lambda f: ("--model", _file(f, "m.tflite", _GARBAGE))),
    _wrong("model cut off", "model", lambda f: ("--model", _cut(f, 0.6))),
    _wrong("model with one bit changed", "model", lambda f: ("--model", _flipped(f))),
    _wrong("required delegate missing", "libnone.so",
           lambda f: ("--delegate", "libnone.so", "--delegate-required")),
    _wrong("unknown key", "is unknown",
           lambda f: ("--config", _file(f, "c.toml", b"[daemon]\nsauce = 1\n"))),
    _wrong("value out of range", "expected",
           lambda f: ("--config", _file(f, "c.toml", b"[daemon]\nthreads = 0\n"))),
    _wrong("a file that is no video", "is not a readable video",
           lambda f: ("--source", _file(f, "drive.mp4", b"no video"))),
    _wrong("crop outside the picture", "crop", lambda f: ("--crop", "0,0,9000,9000")),
    _wrong("cores that are not there", "expected", lambda f: ("--cores", "4000")),
    _wrong("metrics at another machine's address", "metrics",
           lambda f: ("--metrics", "192.0.2.1:1")),
    _wrong("unknown reader", "does not exist", lambda f: ("--allow-user", "nobody-at-all")),
]  # fmt: skip

TABLE = [*CAMERA, *NETWORK, *STREAM, *MACHINE, *SETTINGS]
