"""Who may read a stream, and how many of whom: the allow-list, and the places in the house."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from roadmask._native import peer_groups
from roadmask.errors import PublishError
from roadmask.stream.modes import Reason
from roadmask.system.ranges import between
from roadmask.system.settings import check, setting

_PLACES = between(0, 4096)


@dataclass(frozen=True)
class Access:
    """Who may read a stream.

    Attributes:
        mode_bits: permission bits of the socket file.
        users, groups: names or ids. If either is given, a peer must be one of these users, or in
            one of these groups, or be the owner's own user or root.
        max_clients: at once.
        group: of the socket file, and of its folder where that is made; "" leaves it the owner's.
        per_user: places that one user can have, so that no user takes them all.
        reserved: places that only ``users`` and ``groups`` can have, where these are given.
    """

    mode_bits: int = setting(0o660, "rights of the socket's file", octal=True)
    users: Iterable[str | int] = ()
    groups: Iterable[str | int] = ()
    max_clients: int = setting(32, "readers at once", within=_PLACES)
    group: str | int = ""
    per_user: int = setting(16, "of one user", within=_PLACES)
    reserved: int = setting(8, "for users and groups alone", within=_PLACES)

    def __post_init__(self) -> None:
        check(self, PublishError)


class Guest(NamedTuple):
    """The process at the other end of a connection."""

    uid: int
    allowed: bool
    listed: bool  # by name or group; not merely the owner's own user, or root


class AllowList:
    """Names made to numbers once, and what follows from them.

    Raises:
        PublishError: a name that this system does not know.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self.uids = frozenset(_user_id(user) for user in access.users)
        self.gids = frozenset(group_id(group) for group in access.groups)

    def look_at(self, peer: socket.socket) -> Guest:
        """Ask the kernel who is there."""
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _, uid, gid = struct.unpack("iII", credentials)
        if not self.uids and not self.gids:
            return Guest(uid, allowed=True, listed=False)  # the file mode alone decides
        listed = uid in self.uids or gid in self.gids or self._is_member(peer)
        return Guest(uid, listed or uid in (0, os.geteuid()), listed)

    def reason_against(self, guest: Guest, present: Collection[Guest]) -> Reason:
        """Why there is no place for one more beside those present, or NONE."""
        access = self._access
        if not guest.allowed:
            return Reason.NOT_ALLOWED
        places = access.max_clients
        if not guest.listed and (self.uids or self.gids):
            places -= sum(other.listed for other in present)
            places = min(places, access.max_clients - access.reserved)
            present = [other for other in present if not other.listed]
        same = sum(other.uid == guest.uid for other in present)
        full = len(present) >= places or same >= access.per_user
        return Reason.TOO_MANY_CLIENTS if full else Reason.NONE

    def shut_out(self, folder: os.stat_result, file: os.stat_result) -> list[str]:
        """Those on the list whom the file's or the folder's mode keeps from ever knocking."""
        names = [f"group {gid}" for gid in self.gids if not _may_enter(folder, file, {gid})]
        for uid in self.uids - {0, file.st_uid}:
            if not _may_enter(folder, file, _groups_of(uid)):
                names.append(f"user {uid}")
        return names

    def _is_member(self, peer: socket.socket) -> bool:
        if not self.gids:
            return False
        try:
            return not self.gids.isdisjoint(peer_groups(peer.fileno()))
        except OSError:
            return False


def group_id(group: str | int) -> int:
    """The number of a group.

    Raises:
        PublishError: there is none of that name.
    """
    try:
        return group if isinstance(group, int) else grp.getgrnam(group).gr_gid
    except KeyError:
        raise PublishError(f"group {group!r} does not exist on this system") from None


def _user_id(user: str | int) -> int:
    try:
        return user if isinstance(user, int) else pwd.getpwnam(user).pw_uid
    except KeyError:
        raise PublishError(f"allowed user {user!r} does not exist on this system") from None


def _groups_of(uid: int) -> set[int]:
    try:
        entry = pwd.getpwuid(uid)
        return set(os.getgrouplist(entry.pw_name, entry.pw_gid))
    except (KeyError, OSError):
        return set()


def _may_enter(folder: os.stat_result, file: os.stat_result, gids: set[int]) -> bool:
    """Whether members of these groups can connect: write the file, pass the folder."""
    passes = folder.st_mode & (0o010 if folder.st_gid in gids else 0o001)
    writes = file.st_mode & (0o020 if file.st_gid in gids else 0o002)
    return bool(passes and writes)
