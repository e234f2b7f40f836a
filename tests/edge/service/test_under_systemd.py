"""The installed package under a real systemd, on a clean Debian: ``make test-systemd``.

Prints what it measured; what is asserted are states, with generous limits.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from systemd_parts import Machine, machine, require_systemd, wait_until

from roadmask import _native
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns

ROOT = Path(__file__).parents[3]
DEBIAN = ROOT / "build" / "debian"
UNIT = "roadmask@front.service"
PORT = 8081
CONFIG = f"""\
[daemon]
source = "http://127.0.0.1:{PORT}/stream"
live = true
latency_ms = 100.0
max_age_ms = 1000
"""
# An IP camera's address is allowed as docs/service.md says.
ALLOW = "[Service]\nIPAddressAllow=localhost\n"
FILES: dict[str, str | Path] = {
    "/etc/roadmask/front.toml": CONFIG,
    f"/etc/systemd/system/{UNIT}.d/camera.conf": ALLOW,
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
_INSTALL = """
set -e
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
cp "$3" "$2/root/package.deb"
mount -t proc proc "$2/root/proc"
mount -t tmpfs tmpfs "$2/root/dev"
for node in null zero full random urandom; do
    touch "$2/root/dev/$node"; mount --bind "/dev/$node" "$2/root/dev/$node"
done
mkdir "$2/root/dev/shm"
mount -t tmpfs tmpfs "$2/root/dev/shm"
ln -s /proc/self/fd "$2/root/dev/fd"
exec chroot "$2/root" sh -c "$4"
"""


def on_clean_debian(folder: Path, command: str) -> str:
    """Run a shell command in Debian 12 as ``folder`` has changed it, without a network."""
    require_systemd()
    packages = sorted((ROOT / "dist").glob("roadmask_*_amd64.deb"))
    if not (DEBIAN / "bin").exists() or not packages:
        pytest.skip("make debian-root deb")
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(exist_ok=True)
    enter = ["unshare", "--mount", "--pid", "--net", "--fork", "sh", "-c", _INSTALL, "install"]
    result = subprocess.run(
        [*enter, str(DEBIAN.resolve()), str(folder), str(packages[-1]), command],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian 12 with the package, as a stack of layers."""
    folder = tmp_path_factory.mktemp("debian")
    said = on_clean_debian(folder, "dpkg -i /package.deb && rm /package.deb")
    print(said)
    assert "golden frame" in said and "FAULT" not in said
    # Whatever compiled the wheel, its kernels are as fast as those of this clone.
    assert f"kernels run as {_native.kernel_level()}\n" in said
    return f"{folder}/upper:{DEBIAN.resolve()}"


@contextmanager
def camera(host: Machine) -> Iterator[None]:
    """The network camera of ``CONFIG``, as soon as its pictures are drawn."""
    script = str(Path(__file__).with_name("http_camera.py"))
    with subprocess.Popen(
        host.enter("--net", sys.executable, script, str(PORT)), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"there\n"
        try:
            yield
        finally:
            process.kill()


@contextmanager
def booted(tmp_path: Path, installed: str) -> Iterator[tuple[Machine, Subscriber]]:
    with machine(tmp_path, FILES, installed) as host:
        host.systemctl("start", "--no-block", UNIT)
        socket = host.root / "run/roadmask-front/masks.v1.sock"
        with Subscriber(str(socket), max_age_ms=1000) as stream:
            yield host, stream


def main_pid(host: Machine) -> int:
    return int(host.show(UNIT, "MainPID") or 0)


def mask_comes(stream: Subscriber) -> bool:
    return stream.receive(timeout_s=0.02) is not None


def has_reason(stream: Subscriber, reason: Reason) -> bool:
    return (
        stream.receive(timeout_s=0.0) is None
        and stream.status is not None
        and bool(stream.status.reasons & reason)
    )


def test_a_camera_that_is_late_at_boot(tmp_path: Path, installed: str) -> None:
    absent_s = float(os.environ.get("ROADMASK_ABSENT_S", "60"))
    with booted(tmp_path, installed) as (host, stream):
        begin_ns = now_ns()
        wait_until(lambda: stream.receive(timeout_s=0.02) or stream.status)
        print(f"CAMERA_LOST is told {(now_ns() - begin_ns) / 1e9:.2f} s after the boot")
        while now_ns() - begin_ns < absent_s * 1e9:
            assert stream.receive(timeout_s=0.5) is None
            status = stream.status
            assert status and status.mode is Mode.FAULT and status.reasons == Reason.CAMERA_LOST
        assert host.show(UNIT, "ActiveState") == "active" and host.show(UNIT, "NRestarts") == "0"
        with camera(host):
            print(f"masks {wait_until(lambda: mask_comes(stream), 20):.2f} s after the camera")
            print(host.journal(UNIT))


def test_twenty_crashes_are_no_end(tmp_path: Path, installed: str) -> None:
    with booted(tmp_path, installed) as (host, stream), camera(host):
        wait_until(lambda: mask_comes(stream))
        begin_ns, last = now_ns(), 0
        for _ in range(20):
            wait_until(lambda before=last: main_pid(host) not in (0, before))
            last = main_pid(host)
            host.systemctl("kill", "--signal=KILL", "--kill-whom=main", UNIT)
        print(f"20 crashes in {(now_ns() - begin_ns) / 1e9:.1f} s")
        print(f"masks again after {wait_until(lambda: mask_comes(stream), 20):.2f} s")
        assert host.show(UNIT, "ActiveState") == "active"
        assert int(host.show(UNIT, "NRestarts")) >= 20


def test_a_daemon_that_hangs_is_started_anew(tmp_path: Path, installed: str) -> None:
    with booted(tmp_path, installed) as (host, stream), camera(host):
        wait_until(lambda: mask_comes(stream))
        before = main_pid(host)
        host.systemctl("kill", "--signal=STOP", "--kill-whom=main", UNIT)
        took_s = wait_until(lambda: main_pid(host) not in (0, before), 30)
        print(f"watchdog: another daemon after {took_s:.2f} s")
        wait_until(lambda: mask_comes(stream), 20)
        assert "watchdog" in host.run("journalctl", "--no-pager", "-u", UNIT).lower()


def test_a_network_that_hangs_is_named_and_replaced(tmp_path: Path, installed: str) -> None:
    with booted(tmp_path, installed) as (host, stream), camera(host):
        for _ in range(150):  # its patience knows what is usual
            wait_until(lambda: mask_comes(stream))
        (worker,) = host.children_named(main_pid(host), "engine_worker")
        begin_ns = now_ns()
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: has_reason(stream, Reason.INFERENCE_FAILED), every_s=0.001)
        named_ns = now_ns()
        wait_until(lambda: mask_comes(stream), 20)
        print(
            f"named after {(named_ns - begin_ns) / 1e6:.0f} ms, masks again after "
            f"{(now_ns() - begin_ns) / 1e6:.0f} ms"
        )
        assert host.show(UNIT, "NRestarts") == "0"


def test_a_reload_changes_what_can_change(tmp_path: Path, installed: str) -> None:
    with booted(tmp_path, installed) as (host, stream), camera(host):
        wait_until(lambda: mask_comes(stream))
        before, file = main_pid(host), host.root / "etc/roadmask/front.toml"
        file.write_text(file.read_text() + "max_fps = 5.0\nthreads = 2\n")
        host.systemctl("reload", UNIT)
        wait_until(lambda: "reload: max_fps changed" in host.journal(UNIT), 20)
        assert "threads: only after a restart" in host.journal(UNIT)
        wait_until(lambda: mask_comes(stream))
        assert main_pid(host) == before and host.show(UNIT, "ActiveState") == "active"


def test_the_demo_runs(tmp_path: Path, installed: str) -> None:
    upper = installed.partition("/upper:")[0]
    print(on_clean_debian(Path(upper), "cd /tmp && roadmask demo --seconds 5"))
