"""Masks of several cameras that belong together; no camera holds up the others."""

from __future__ import annotations

import select
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from roadmask.errors import ConfigError
from roadmask.stream.modes import NoMask
from roadmask.stream.subscribe.mask import Mask
from roadmask.stream.subscribe.reader import deadline_ns
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns

_LOOK_MS = 5.0  # how long a wait sleeps before it looks at those without a descriptor


@dataclass(frozen=True)
class MaskSet:
    """Masks whose pictures were taken within the set's bound of each other.

    Attributes:
        masks: by name; at least one.
        missing: of the others, why each has none; NO_NEW_FRAME too where its newest picture was
            taken too early for this set.
    """

    masks: dict[str, Mask]
    missing: dict[str, NoMask]

    @property
    def complete(self) -> bool:
        """Every stream has its mask."""
        return not self.missing

    @property
    def spread_ns(self) -> int:
        """Between the first and the last picture."""
        times = [mask.capture_timestamp_ns for mask in self.masks.values()]
        return max(times) - min(times)


class SubscriberSet:
    """Subscribers to several streams, as one.

    A set is handed out as soon as every stream that keeps up has a new mask within ``within_ms`` of
    the newest, and ``by_ms`` after its first mask came at the latest. A stream that missed a set is
    waited for again once it has delivered: a camera that is frozen, slow or gone costs one delay.

    Args:
        sockets: paths, which are the names too, or paths by name.
        within_ms: greatest time between the captures of one set.
        by_ms: longest wait for the rest of a set.
        options: of each ``Subscriber``.

    Raises:
        ConfigError: no socket, one twice, or an option that cannot be used.
    """

    def __init__(
        self,
        sockets: Sequence[str | Path] | Mapping[str, str | Path],
        *,
        within_ms: float = 20.0,
        by_ms: float = 50.0,
        **options: Any,
    ) -> None:
        named = dict(sockets) if isinstance(sockets, Mapping) else {str(s): s for s in sockets}
        if not named or len(named) != len(sockets):
            raise ConfigError(f"sockets {sockets!r}: expected one or more, each once")
        if not (0 <= within_ms < 1e6 and 0 <= by_ms < 1e6):
            raise ConfigError(
                f"within_ms {within_ms}, by_ms {by_ms}: expected milliseconds, 0 or more"
            )
        self._within_ns, self._by_ns = round(within_ms * 1e6), round(by_ms * 1e6)
        self._members = {name: Subscriber(path, **options) for name, path in named.items()}
        self._held: dict[str, Mask] = {}  # new ones, of no set yet
        self._absent: set[str] = set()  # who missed the last set

    def receive(self, timeout_s: float | None = None) -> MaskSet | None:
        """The next set; None if no stream had a new mask in time, and ``reasons`` tells why.

        Raises:
            ConfigError: ``timeout_s`` is nan.
            ProtocolError: only with ``reconnect=False``: what a publisher did wrong.
        """
        end = deadline_ns(timeout_s)
        first_ns = 0  # when a mask of this set was first seen
        while True:
            self._look()
            if self._held:
                first_ns = first_ns or now_ns()
                due = first_ns + self._by_ns if end is None else min(first_ns + self._by_ns, end)
                found = self._set(over=now_ns() >= due)
                if found is not None:
                    return found
                if not self._held:  # what was there went too old meanwhile
                    first_ns = 0
            now = now_ns()
            if end is not None and now >= end and not self._held:
                return None
            until = first_ns + self._by_ns if first_ns else end
            self._wait(until if until is None or end is None else min(until, end), now)

    def __iter__(self) -> Iterator[MaskSet]:
        """Every set, until this is closed."""
        while not all(member.ended for member in self._members.values()):
            found = self.receive(1.0)
            if found is not None:
                yield found

    @property
    def reasons(self) -> dict[str, NoMask]:
        """Of each stream, why its last look gave no mask; NONE if it gave one."""
        return {name: member.reason for name, member in self._members.items()}

    @property
    def members(self) -> dict[str, Subscriber]:
        """The subscribers by name, for what each tells of its stream; do not receive from them."""
        return dict(self._members)

    def close(self) -> None:
        """Leave all streams."""
        for member in self._members.values():
            member.close()

    def __enter__(self) -> SubscriberSet:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _look(self) -> None:
        for name, member in self._members.items():
            mask = member.receive(timeout_s=0)
            if mask is not None:
                self._held[name] = mask

    def _set(self, over: bool) -> MaskSet | None:
        """The set, if it is complete for all who keep up, or ``over``."""
        self._held = {name: mask for name, mask in self._held.items() if mask.valid}
        if not self._held:
            return None
        newest = max(mask.capture_timestamp_ns for mask in self._held.values())
        together = {
            name: mask
            for name, mask in self._held.items()
            if newest - mask.capture_timestamp_ns <= self._within_ns
        }
        if not over and any(
            name not in together and name not in self._absent for name in self._members
        ):
            return None
        missing = {
            name: member.reason or NoMask.NO_NEW_FRAME
            for name, member in self._members.items()
            if name not in together
        }
        self._absent = set(missing)
        self._held.clear()
        return MaskSet(together, missing)

    def _wait(self, until_ns: int | None, now: int) -> None:
        left_ms = _LOOK_MS if until_ns is None else min(_LOOK_MS, max(until_ns - now, 0) / 1e6)
        watch = select.poll()
        for name, member in self._members.items():
            if name not in self._held and member.fileno() >= 0:
                watch.register(member.fileno(), select.POLLIN)
        watch.poll(left_ms)
