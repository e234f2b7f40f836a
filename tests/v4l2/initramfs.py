"""The guest's first file system: busybox, modules and a script that changes over to the host's.

The guest has no image of its own. Its root is a folder of the host, over 9p and read-only: the
host's own, so that it runs the very interpreter, libraries and project that this machine has, or
that of another architecture. A second folder, its work, lies at ``/run/guest``.
"""

from __future__ import annotations

import gzip
import stat
from pathlib import Path

from kernel import Kernel, RigError

_FOLDERS = ("bin", "dev", "layer", "lower", "mods", "proc", "root", "sys")
_INIT = """\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
{insmod}
share=ro,trans=virtio,version=9p2000.L,cache=loose,msize=262144
{mount_root}
for place in proc sys dev; do $b mount --move /$place /root/$place; done
$b mount -t tmpfs run /root/run
$b mkdir -p /root/run/tmp /root/run/guest
$b mount -t 9p -o $share work /root/run/guest || $b poweroff -f
$b mkdir -p /root/dev/shm
$b mount -t tmpfs shm /root/dev/shm
$b ip link set lo up 2>/dev/null
cd /root
$b chroot /root /bin/bash /run/guest/guest.sh </dev/null >/dev/console 2>&1
$b sync
$b poweroff -f
"""
# As it is, or under a layer in memory that takes what is written.
_READ_ONLY = "$b mount -t 9p -o $share host /root || $b poweroff -f"
_LAYERED = """\
$b mount -t 9p -o $share host /lower || $b poweroff -f
$b mount -t tmpfs layer /layer
$b mkdir /layer/upper /layer/work
layers=lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work
$b mount -t overlay -o $layers root /root || $b poweroff -f"""


def write_initramfs(path: Path, kernel: Kernel, root: Path, *, writable: bool) -> None:
    """Write a compressed cpio archive whose init goes over to ``root`` and runs ``guest.sh``.

    Args:
        writable: the guest may write into its root, and forgets it.

    Raises:
        RigError: no static busybox.
    """
    busybox = root / "bin" / "busybox"
    if not busybox.exists():
        how = "apt install busybox-static" if root == Path("/") else "see packages/pi_root.sh"
        raise RigError(f"{busybox} is missing: {how}")
    insmod, files = [], [("bin/busybox", busybox.read_bytes(), 0o755)]
    for index, (module, parameters) in enumerate(kernel.modules):
        name = f"mods/{index:02d}-{module.name}"
        files.append((name, module.read_bytes(), 0o644))
        insmod.append(f"$b insmod /{name} {parameters}".rstrip())
    mount_root = _LAYERED if writable else _READ_ONLY
    init = _INIT.format(insmod="\n".join(insmod), mount_root=mount_root)
    files.append(("init", init.encode(), 0o755))
    with gzip.open(path, "wb", compresslevel=1) as archive:
        for folder in _FOLDERS:
            archive.write(_entry(folder, b"", stat.S_IFDIR | 0o755))
        for name, data, mode in files:
            archive.write(_entry(name, data, stat.S_IFREG | mode))
        archive.write(_entry("TRAILER!!!", b"", 0))


def _entry(name: str, data: bytes, mode: int) -> bytes:
    """One file in cpio's ``newc`` form (Linux, Documentation/driver-api/early-userspace)."""
    path = name.encode() + b"\0"
    # inode, mode, user, group, links, time, size, device and its special numbers, name, check
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(head + path) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
