"""The socket file of the mask stream: one owner at a time, and only allowed peers."""

from __future__ import annotations

import fcntl
import grp
import logging
import os
import pwd
import socket
import stat
import struct
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from roadmask._native import peer_groups, readable
from roadmask.errors import PublishError

_log = logging.getLogger(__name__)

_LOCK_WAIT_S = 2.0  # a killed owner's janitor needs milliseconds
_PATH_BYTES = 107  # sun_path without its NUL

_SHELL = "/bin/sh"
# Holds the lock (inherited) until the owner's end of the pipe closes, however the owner ends;
# then nothing of it stays in the file system.
_JANITOR = 'read -r _; rm -f -- "$0" "$0.lock"'


@dataclass(frozen=True)
class Access:
    """Who may read a stream.

    Attributes:
        mode_bits: permission bits of the socket file.
        users, groups: names or ids. If either is given, a peer must be one of these users, or in
            one of these groups, or be the owner's own user or root.
        max_clients: at once.
    """

    mode_bits: int = 0o660
    users: Iterable[str | int] = ()
    groups: Iterable[str | int] = ()
    max_clients: int = 32


class Listener:
    """A listening SEQPACKET socket at ``path``, guarded by ``path.lock`` against a second owner.

    Args:
        path: socket file; its folder is made (0750) if it is missing.
        access: see there.

    Raises:
        PublishError: the path is in use, too long, not writable or no socket; unknown names.
    """

    def __init__(self, path: str | Path, access: Access) -> None:
        self.path = Path(path).absolute()
        self._uids = frozenset(_user_id(user) for user in access.users)
        self._gids = frozenset(_group_id(group) for group in access.groups)
        if len(os.fsencode(self.path)) > _PATH_BYTES:
            raise PublishError(
                f"socket path {self.path} is longer than {_PATH_BYTES} bytes: give a shorter one"
            )
        try:
            self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._lock = _lock(self.path)
        except OSError as error:
            raise _unusable(self.path, error) from error
        try:
            self.socket = _bind(self.path, access.mode_bits)
            self._janitor, self._janitor_pipe = _start_janitor(self.path, self._lock)
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def waiting(self) -> bool:
        """Somebody waits to be let in: a fiftieth of the price of an ``accept`` that finds none."""
        return readable(self.socket.fileno())

    def accept(self) -> socket.socket | None:
        """The next waiting connection, or None."""
        try:
            peer, _ = self.socket.accept()
        except OSError:  # nobody waits, or who did is gone already
            return None
        peer.setblocking(False)
        return peer

    def allows(self, peer: socket.socket) -> bool:
        """Whether the allow-list admits the process at the other end."""
        if not self._uids and not self._gids:
            return True  # the file mode alone decides
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _, uid, gid = struct.unpack("iII", credentials)
        if uid in (0, os.geteuid()) or uid in self._uids or gid in self._gids:
            return True
        try:
            return not self._gids.isdisjoint(peer_groups(peer.fileno()))
        except OSError:
            return False

    def close(self) -> None:
        """Stop listening and remove the socket and its lock. Safe to call twice."""
        if self.socket.fileno() < 0:
            return
        self.socket.close()
        os.close(self._janitor_pipe)  # the janitor removes both files and lets go of the lock
        if self._janitor is None:
            self.path.unlink(missing_ok=True)
            _lock_path(self.path).unlink(missing_ok=True)
        else:
            self._janitor.wait()
        os.close(self._lock)


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _lock(path: Path) -> int:
    """Take ``path.lock``; the descriptor holds it until it and its copies are closed."""
    lock_path = _lock_path(path)
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        fd = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The former owner may have removed the file between our open and our lock.
            if os.fstat(fd).st_ino == lock_path.stat().st_ino:
                os.ftruncate(fd, 0)
                os.write(fd, f"{os.getpid()}\n".encode())
                return fd
        except FileNotFoundError:
            pass
        except BlockingIOError:
            if time.monotonic() > deadline:
                owner = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
                os.close(fd)
                raise PublishError(
                    f"socket {path} is in use by process {owner}: stop it or give another path"
                ) from None
            time.sleep(0.01)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _bind(path: Path, mode_bits: int) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        try:
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise PublishError(
                    f"path {path} exists and is no socket: remove it or give another path"
                )
            path.unlink()  # left behind by a killed owner: we hold the lock
        except FileNotFoundError:
            pass
        listening.bind(str(path))
        path.chmod(mode_bits)  # before listen: until then every connect is refused
        listening.listen(64)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise _unusable(path, error) from error
    except BaseException:
        listening.close()
        raise
    return listening


def _start_janitor(path: Path, lock: int) -> tuple[subprocess.Popen[bytes] | None, int]:
    """The janitor, None on a system without a shell, and our end of its pipe."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    try:
        janitor = subprocess.Popen(
            [_SHELL, "-c", _JANITOR, str(path)],
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(lock,),
            start_new_session=True,  # a Ctrl-C at the terminal is not for it
            cwd="/",
        )
    except OSError as error:
        # The next owner finds and removes what one that was killed left behind.
        _log.warning("no %s (%s): a kill leaves %s behind", _SHELL, error.strerror, path)
        return None, write_end
    finally:
        os.close(read_end)
    return janitor, write_end


def _unusable(path: Path, error: OSError) -> PublishError:
    return PublishError(
        f"socket {path} cannot be made: {error.strerror}; expected a folder that user "
        f"{os.geteuid()} may write"
    )


def _user_id(user: str | int) -> int:
    try:
        return user if isinstance(user, int) else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise PublishError(f"allowed user {user!r} does not exist on this system") from None


def _group_id(group: str | int) -> int:
    try:
        return group if isinstance(group, int) else grp.getgrnam(group).gr_gid
    except KeyError:
        raise PublishError(f"allowed group {group!r} does not exist on this system") from None
