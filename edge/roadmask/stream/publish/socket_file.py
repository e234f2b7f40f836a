"""A stream's files: its socket, the lock beside it, their folder; and that they stay its own."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import socket
import stat
import struct
import time
from pathlib import Path

from roadmask.errors import PublishError
from roadmask.stream.publish.access import Access, AllowList, group_id
from roadmask.stream.publish.janitor import Janitor

_log = logging.getLogger(__name__)

_LOCK_WAIT_S = 2.0  # a killed owner's janitor needs milliseconds
_PATH_BYTES = 107  # sun_path without its NUL
_BACKLOG = 64


class SocketFile:
    """A listening SEQPACKET socket at ``path``, guarded by ``path.lock`` against a second owner.

    Args:
        path: socket file; its folder is made (0750, whatever the umask) if it is missing.
        access: mode and group of the files.
        allowed: who should be able to connect; a mode that keeps them out is warned of.

    Attributes:
        socket: listens; another one after ``keep`` had to bind again.

    Raises:
        PublishError: the path is in use, too long, not writable or no socket.
    """

    def __init__(self, path: str | Path, access: Access, allowed: AllowList) -> None:
        self.path = Path(path).absolute()
        self._mode_bits = access.mode_bits
        self._gid = group_id(access.group) if access.group != "" else -1
        _check_path(self.path)
        self._lock = self._take_lock(_LOCK_WAIT_S)
        try:
            self.socket, self._held = self._bind()
        except BaseException:
            os.close(self._lock)
            raise
        self._janitor = Janitor(self.path, self._held, self._lock)
        shut_out = allowed.shut_out(self.path.parent.stat(), os.fstat(self._held))
        if shut_out:
            _log.warning(
                "%s is on the allow-list and cannot reach %s: its mode or its folder's is in the "
                "way; set socket_group to a group of theirs, or widen the modes",
                ", ".join(shut_out),
                self.path,
            )

    def keep(self) -> None:
        """See that socket and lock are still our own, and make good what is gone.

        The stream goes on: who is connected notices nothing.

        Raises:
            PublishError: somebody else has them, or they cannot be made again.
        """
        lock_kept = _is_file(_lock_path(self.path), self._lock)
        socket_kept = _is_file(self.path, self._held)
        if lock_kept and socket_kept and self._janitor.lives:
            return
        self._janitor.dismiss()
        if not lock_kept:
            _log.warning("%s.lock was removed or replaced: locking again", self.path)
            lock = self._take_lock(wait_s=0.0)
            os.close(self._lock)
            self._lock = lock
        if not socket_kept:
            _log.warning("%s was removed or replaced: binding again", self.path)
            former = self.socket, self._held
            self.socket, self._held = self._bind()
            former[0].close()
            os.close(former[1])
        self._janitor = Janitor(self.path, self._held, self._lock)

    def close(self) -> None:
        """Stop listening and remove the socket and its lock. Safe to call twice."""
        if self.socket.fileno() < 0:
            return
        self.socket.close()
        for path, descriptor in ((self.path, self._held), (_lock_path(self.path), self._lock)):
            if _is_file(path, descriptor):
                with contextlib.suppress(OSError):
                    path.unlink()
        self._janitor.dismiss()
        os.close(self._held)
        os.close(self._lock)

    def _take_lock(self, wait_s: float) -> int:
        try:
            _make_folder(self.path.parent, self._gid)
            return _lock(self.path, wait_s)
        except OSError as error:
            raise _unusable(self.path, error) from error

    def _bind(self) -> tuple[socket.socket, int]:
        """The listening socket, and a descriptor of its file."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            _clear(self.path)
            listening.bind(str(self.path))
            held = os.open(self.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if self._gid >= 0:
                    os.chown(self.path, -1, self._gid)
                self.path.chmod(self._mode_bits)  # before listen: until then nobody connects
                listening.listen(_BACKLOG)
            except BaseException:
                os.close(held)
                raise
            listening.setblocking(False)
            return listening, held
        except OSError as error:
            listening.close()
            raise _unusable(self.path, error) from error
        except BaseException:
            listening.close()
            raise


def _check_path(path: Path) -> None:
    size = len(os.fsencode(path))
    if size > _PATH_BYTES:
        raise PublishError(
            f"socket path {path} has {size} bytes, longer than {_PATH_BYTES} bytes, the most that "
            "a socket's address takes: give a shorter one"
        )
    if "\0" in str(path):
        raise PublishError(f"socket path {str(path)!r} holds a NUL: give a file's name")
    if path.is_dir():
        raise PublishError(f"socket path {path} is a folder: give a file in it, as {path}/m.sock")


def _make_folder(folder: Path, gid: int) -> None:
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    for part in reversed(missing):
        part.mkdir(mode=0o750, exist_ok=True)
        part.chmod(0o750)  # whatever the umask
        if gid >= 0:
            os.chown(part, -1, gid)


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _is_file(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the file that the descriptor holds."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except OSError:
        return False


def _lock(path: Path, wait_s: float) -> int:
    """Take ``path.lock``; the descriptor holds it until it and its copies are closed."""
    lock_path = _lock_path(path)
    deadline = time.monotonic() + wait_s
    while True:
        fd = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The former owner may have removed the file between our open and our lock.
            if _is_file(lock_path, fd):
                os.ftruncate(fd, 0)
                os.write(fd, f"{os.getpid()}\n".encode())
                return fd
        except BlockingIOError:
            if time.monotonic() > deadline:
                owner = os.read(fd, 32).decode(errors="replace").strip()
                os.close(fd)
                raise _in_use(path, owner) from None
            time.sleep(0.01)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _clear(path: Path) -> None:
    """Remove a socket that a killed owner left; its lock is ours.

    Raises:
        PublishError: it is no socket, or somebody listens there who lost his lock.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        kind = "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "special file"
        raise PublishError(
            f"path {path} exists and is no socket but a {kind}: remove it or give another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        probe.setblocking(False)
        error = probe.connect_ex(str(path))
        if error == 0:
            pid, _, _ = struct.unpack(
                "iII", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            )
            raise _in_use(path, str(pid))
    if error in (errno.EAGAIN, errno.EPROTOTYPE):  # its queue is full; a socket of another type
        raise _in_use(path, "")
    path.unlink()


def _in_use(path: Path, owner: str) -> PublishError:
    what = f"socket {path} is in use by process {owner or 'unknown'}"
    if owner.isdecimal() and _is_stopped(int(owner)):
        return PublishError(
            f"{what}, which is stopped: let it go on (kill -CONT {owner}) or end it "
            f"(kill -KILL {owner})"
        )
    return PublishError(f"{what}: stop it or give another path")


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "Tt"
    except (OSError, IndexError):
        return False


def _unusable(path: Path, error: OSError) -> PublishError:
    return PublishError(
        f"socket {path} cannot be made: {error.strerror}; expected a folder that user "
        f"{os.geteuid()} may write, and a socket_group of which it is a member"
    )
