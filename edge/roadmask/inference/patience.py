"""How long an answer of the network's process is waited for."""

from __future__ import annotations

_FEW = 3  # answers before which nothing is usual: golden frames are as many
_KNOWN = 100  # so many times tell what is usual
_TIMES_USUAL = 4
_SHORTEST_S = 0.04  # less is the scheduler's business
_UNKNOWN_S = 1.0
_STARVED = 4  # times as long is waited for a process that others leave no core
_FRESH_LATE_S, _FRESH_LOST_S = 0.1, 0.5  # least of a fresh one: a board at its start has much to do


class Patience:
    """Generous with a fresh engine, then by what is usual on this board.

    A network that is slower than its masks may be old is late with each frame, which the stream
    says, but does not hang.

    Both times are the process's own, see ``OwnTime``: on a busy machine it may wait for a core, and
    answers soon after. A mask that comes too late for that reason is STALE, which the stream says
    by itself; nothing has failed.

    Args:
        limit_s: a mask that is older is useless.

    Attributes:
        late_s: an answer that takes longer is told.
        lost_s: one that takes longer is waited for no more; at least ``late_s``.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._times: list[int] = []
        self.begin(0)

    def begin(self, first_ns: int) -> None:
        """A fresh engine, whose first, warming invocation took so long."""
        self._times.clear()
        self._slowest_ns, self._fresh = first_ns, True
        self.late_s = self.lost_s = max(self._limit_s, _UNKNOWN_S, _TIMES_USUAL * first_ns * 1e-9)

    def learn(self, taken_ns: int) -> None:
        """An invocation's time; four times what is usual is late.

        Usual is the 99th percentile of a hundred, of a fresh engine the slowest so far.
        """
        self._times.append(taken_ns)
        count = len(self._times)
        if count == _KNOWN:
            self._fresh = False
            self._expect(sorted(self._times)[-2])  # NumPy takes a millisecond for it
            self._times.clear()
        elif self._fresh and (count == _FEW or (count > _FEW and taken_ns > self._slowest_ns)):
            self._slowest_ns = max(self._slowest_ns, *self._times)
            self._expect(self._slowest_ns)

    def is_late(self, own_s: float, passed_s: float) -> bool:
        """Whether an answer is to be told that did not come yet."""
        return own_s >= self.late_s or self.is_lost(own_s, passed_s)

    def is_lost(self, own_s: float, passed_s: float) -> bool:
        """Whether it is waited for no more."""
        return own_s >= self.lost_s or passed_s >= _STARVED * self.lost_s

    def _expect(self, usual_ns: float) -> None:
        late_s = max(_TIMES_USUAL * usual_ns * 1e-9, _FRESH_LATE_S if self._fresh else _SHORTEST_S)
        self.late_s = min(late_s, self._limit_s)
        self.lost_s = max(late_s, self._limit_s, _FRESH_LOST_S if self._fresh else 0.0)
