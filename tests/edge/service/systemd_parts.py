"""A whole systemd as the first process of its own namespaces, over a copy-on-write root."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SYSTEMD = "/lib/systemd/systemd"
_BOOT_S = 60.0
# Run in the new namespaces. The root is this machine's own, with everything written to it in
# memory. The branch of control groups that the test made is all that it sees of those.
_ENTER = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
cp -a "$3/." "$1/upper/"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mkdir -p proc sys dev run tmp
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty fuse; do
    [ -e "/dev/$node" ] || continue
    touch "dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
ip link set lo up 2>/dev/null || true
mkdir -p mnt
pivot_root . mnt
umount -l mnt
exec chroot . /usr/bin/env -i container=roadmask-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=roadmask-test.target --show-status=no
"""
_TARGET = """\
[Unit]
Requires=basic.target systemd-journald.service
After=basic.target systemd-journald.service
AllowIsolate=yes
"""


class Machine:
    """A running systemd, seen from outside.

    Attributes:
        root: its file system.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.root = Path(f"/proc/{pid}/root")

    def run(self, *command: str) -> str:
        """A command in the machine; what it wrote, whatever came of it."""
        enter = self.enter("--all", *command)
        return subprocess.run(enter, capture_output=True, text=True).stdout.strip()

    def enter(self, spaces: str, *command: str) -> list[str]:
        """A command line that joins ``spaces`` of the machine, as nsenter names them."""
        return ["nsenter", f"--target={self._pid}", spaces, "--", *command]

    def children_named(self, parent: int, word: str) -> list[int]:
        """This system's numbers of a process's children with ``word`` in their command.

        Args:
            parent: by its number in the machine.
            word: of the command line.
        """
        (outside,) = [p for p in _descendants(self._pid) if _number_inside(p) == parent]
        return [child for child in _children(outside) if word in _command(child)]

    def systemctl(self, *arguments: str) -> str:
        """``systemctl``, which does not wait for what it begins."""
        return self.run("systemctl", "--no-ask-password", *arguments)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.systemctl("show", "--value", f"--property={name}", unit)

    def journal(self, unit: str, *more: str) -> str:
        """What a unit logged."""
        return self.run("journalctl", "--no-pager", "--quiet", "--output=cat", f"-u{unit}", *more)


@contextmanager
def machine(folder: Path, files: dict[str, str | Path], lower: str = "/") -> Iterator[Machine]:
    """Boot one; all of it is gone when the block ends.

    Args:
        folder: an empty one, to mount at.
        files: by their paths in the machine: a text, or a path that a link leads to.
        lower: the layers of its root, which it cannot change, the uppermost first.
    """
    require_systemd()
    branch = _new_branch()
    mount = folder / "machine"
    mount.mkdir()
    layer = folder / "files"
    for name, content in {"/etc/systemd/system/roadmask-test.target": _TARGET, **files}.items():
        path = layer / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_text(content)
    spaces = ["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork"]
    script = f'echo $$ > {branch}/cgroup.procs && exec unshare {" ".join(spaces)} "$@"'
    inner = ["sh", "-c", _ENTER, "enter", str(mount), lower, str(layer)]
    process = subprocess.Popen(
        ["sh", "-c", script, "start", *inner],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        pid = _first_process(process)
        booted = Machine(pid)
        wait_until(lambda: booted.systemctl("is-system-running") in ("running", "degraded"))
        yield booted
    finally:
        _end(process, branch)


def require_systemd() -> None:
    """Skip the test where no systemd can be booted."""
    if os.geteuid() != 0 or not Path(_SYSTEMD).exists():
        pytest.skip("needs root and systemd")
    for command in ("unshare", "nsenter", "ip"):
        if shutil.which(command) is None:
            pytest.skip(f"no {command}")


def wait_until(
    holds: Callable[[], object], limit_s: float = _BOOT_S, every_s: float = 0.02
) -> float:
    """Seconds until it held; fails at the limit."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < limit_s, "it never came"
        time.sleep(every_s)
    return time.monotonic() - begin


def _new_branch() -> Path:
    for mount in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if Path(mount, "cgroup.controllers").exists():
            branch = Path(mount, f"roadmask-test-{os.getpid()}")
            branch.mkdir()
            return branch
    pytest.skip("no second hierarchy of control groups")


def _children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _descendants(pid: int) -> list[int]:
    found = _children(pid)
    return found + [below for child in found for below in _descendants(child)]


def _number_inside(pid: int) -> int:
    """What a process is called in its own namespace."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("NSpid:")).split()[-1])


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def _first_process(process: subprocess.Popen[bytes]) -> int:
    found: list[int] = []

    def there() -> bool:
        assert process.poll() is None, "the machine ended while it booted"
        found[:] = _children(process.pid)
        return bool(found) and _is_systemd(found[0])

    wait_until(there)
    return found[0]


def _is_systemd(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes], branch: Path) -> None:
    (branch / "cgroup.kill").write_text("1")
    process.wait()
    wait_until(lambda: "populated 0" in (branch / "cgroup.events").read_text())
    for path in sorted(branch.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
    branch.rmdir()
