"""Whether a user gets as far as the daemon's socket: every folder on the way, then the file."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from roadmask.errors import ConfigError


def what_bars(user: str, socket: Path) -> str:
    """The first thing that keeps ``user`` from connecting, "" for nothing.

    Who publishes may refuse besides: ``allow_users`` and ``allow_groups`` are the daemon's.

    Raises:
        ConfigError: there is no such user.
    """
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ConfigError(f"--reader {user}: there is no such user here") from None
    groups = set(os.getgrouplist(user, entry.pw_gid))
    path = Path(os.path.realpath(socket))
    for folder in [*reversed(path.parents)]:
        try:
            status = folder.stat()
        except OSError as error:
            return f"{folder}: {error.strerror}: the daemon makes it"
        if not _may(status, entry.pw_uid, groups, stat.S_IXOTH):
            return f"{folder} {_shown(status)} does not let {user} pass"
    try:
        status = path.stat()
    except OSError as error:
        return f"{path}: {error.strerror}: no daemon publishes there"
    if not _may(status, entry.pw_uid, groups, stat.S_IWOTH):
        return f"{path} {_shown(status)} does not let {user} connect: socket_mode, socket_group"
    return ""


def _may(status: os.stat_result, uid: int, groups: set[int], bit: int) -> bool:
    """Whether a bit of the mode, named as for others, holds for a user."""
    if uid == 0:
        return True
    if uid == status.st_uid:
        return bool(status.st_mode & bit << 6)
    if status.st_gid in groups:
        return bool(status.st_mode & bit << 3)
    return bool(status.st_mode & bit)


def _shown(status: os.stat_result) -> str:
    return f"({stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid})"
