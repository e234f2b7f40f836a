"""Masks from another machine's bridge, by the rules of the local subscriber.

The stream is judged with the daemon's own stamps. ``clockoffset`` bounds how far that machine's
clock is ahead; every stamp is moved into this machine's CLOCK_BOOTTIME at the *greatest* possible
offset, so an age computed from it is never less than the true one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from roadmask.bridge.remote_stream import RemoteStream
from roadmask.bridge.zenoh_session import DEFAULT_ENDPOINT, check_key
from roadmask.errors import ConfigError
from roadmask.stream.checks import MAX_LIMIT_MS
from roadmask.stream.modes import NoMask
from roadmask.stream.subscribe.policy import PolicyOptions
from roadmask.stream.subscribe.subscriber import Mask, Subscriber
from roadmask.system.clock import now_ns

if TYPE_CHECKING:
    from typing_extensions import Unpack


class RemoteSubscriber(Subscriber):
    """``Subscriber`` for a stream that a ``roadmask bridge`` sends from another machine.

    The same calls, limits and reasons; ``NO_CLOCK`` is added. Masks are always copies, without
    confidence and preview. Call ``latest`` or ``receive`` at least every second.

    Args:
        key: the bridge's ``--zenoh``.
        connect, listen: Zenoh endpoints; neither: connect to this machine's loopback.
        scout: let Zenoh look for peers by multicast and gossip.
        max_age_ms: as ``Subscriber``; ages include the clocks' uncertainty.
        allowance_ms: what the network may add to the silence that is borne, and the greatest
            uncertainty of the clocks that is.
        policy: as ``Subscriber``, but for ``publisher_user``, which the bridge asks.

    Raises:
        ConfigError: no Zenoh, or a key, endpoint or allowance that cannot be used.
    """

    def __init__(
        self,
        key: str,
        *,
        connect: Sequence[str] = (),
        listen: Sequence[str] = (),
        scout: bool = False,
        max_age_ms: float = 250.0,
        allowance_ms: float = 100.0,
        **policy: Unpack[PolicyOptions],
    ) -> None:
        if not 0 < allowance_ms <= MAX_LIMIT_MS:
            raise ConfigError(f"allowance of {allowance_ms:g} ms: expected 0 to {MAX_LIMIT_MS}")
        if policy.get("publisher_user") is not None:
            raise ConfigError("publisher_user: the bridge asks that, on the publisher's machine")
        connect = connect or (() if listen else (DEFAULT_ENDPOINT,))
        self._remote = RemoteStream(check_key(key), int(allowance_ms * 1e6))
        self._remote.inbox.open(connect, listen, scout)
        super().__init__(self._remote, max_age_ms=max_age_ms, **policy)

    @property
    def uncertainty_ms(self) -> float | None:
        """How well the two clocks are known to each other; ages are too large by at most this."""
        return self._remote.uncertainty_ms(now_ns())

    @property
    def reason_text(self) -> str:
        """The reason as a sentence, with what is known about it."""
        if self.reason is NoMask.NOT_CONNECTED:
            return self._detail
        return super().reason_text

    def _newest(self, limit_ns: int, copy: bool, repeat: bool, wait_ns: int = 0) -> Mask | None:
        return super()._newest(limit_ns, True, repeat, wait_ns)

    def __enter__(self) -> RemoteSubscriber:
        return self
