"""Is the output still fully usable? Each frame's mode and the reasons for it."""

from __future__ import annotations

from roadmask.daemon.board_watch import BoardWatch
from roadmask.daemon.frame_slot import Captured
from roadmask.inference.postprocess import MOST_INVALID
from roadmask.sources import SourceKind
from roadmask.stream.modes import Mode, Reason

# The rate is low above so many nominal periods, averaged, until it is back under the second.
_LOW_RATE, _RATE_RECOVERED = 2.0, 1.6
_SMOOTHING = 0.1


class Health:
    """Judges frames in the order in which they are published.

    Args:
        kind: of the source; only a live one owes a driver's time stamp.
        period_ns: nominal time between frames, 0 where the source has no rate of its own.
        max_age_ms: a mask that is older before it is out is STALE.
        board: says whether heat or the supply hold the board back; by default nothing does.

    Attributes:
        reduced: by plan less is done than configured; set it from any thread.
    """

    def __init__(
        self, kind: SourceKind, period_ns: int, max_age_ms: int, board: BoardWatch | None = None
    ) -> None:
        self._board = board or BoardWatch()
        self._kind, self._period_ns, self._max_age_ns = kind, period_ns, max_age_ms * 1_000_000
        self._last_ns = 0
        self._interval_ns = float(period_ns)
        self._low_rate = self.reduced = False

    def expect(self, period_ns: int) -> None:
        """Another nominal time between frames."""
        self._period_ns, self._interval_ns, self._last_ns = period_ns, float(period_ns), 0

    def judge(
        self, frame: Captured, seen: Reason, now_ns: int, invalid: float = 0.0
    ) -> tuple[Mode, Reason]:
        """The mode in which the mask of ``frame`` is published.

        Args:
            frame: the frame.
            seen: what is wrong beside its times.
            now_ns: CLOCK_BOOTTIME.
            invalid: share of the mask where the network gave nothing that can be read.
        """
        reasons = seen | self._board.reasons
        if self._kind is SourceKind.LIVE and not frame.driver_time:
            reasons |= Reason.ESTIMATED_TIME
        if self._rate_is_low(frame.capture_ns):
            reasons |= Reason.LOW_RATE
        if self.reduced:
            reasons |= Reason.REDUCED
        if invalid:
            reasons |= Reason.INFERENCE_FAILED
        if invalid > MOST_INVALID:
            return Mode.FAULT, reasons
        if now_ns - frame.capture_ns > self._max_age_ns:
            return Mode.STALE, reasons | Reason.NO_NEW_FRAME
        if Reason.FROZEN in reasons:  # the picture is of any age, whatever its stamp says
            return Mode.STALE, reasons
        return (Mode.DEGRADED if reasons else Mode.OK), reasons

    def _rate_is_low(self, capture_ns: int) -> bool:
        if self._last_ns and self._period_ns:
            interval = capture_ns - self._last_ns
            self._interval_ns += _SMOOTHING * (interval - self._interval_ns)
            limit = _RATE_RECOVERED if self._low_rate else _LOW_RATE
            self._low_rate = self._interval_ns > limit * self._period_ns
        self._last_ns = capture_ns
        return self._low_rate
