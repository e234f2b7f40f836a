"""Why the camera delivers nothing, told in the stream."""

from __future__ import annotations

from roadmask.daemon.capture import CaptureThread
from roadmask.sources import FaultCode
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.publish.publisher import Publisher

FAULTS = {
    FaultCode.CAMERA_MISSING: (Mode.FAULT, Reason.CAMERA_LOST),
    FaultCode.CAMERA_BUSY: (Mode.FAULT, Reason.CAMERA_LOST),
    FaultCode.CAMERA_LOST: (Mode.FAULT, Reason.CAMERA_LOST),
    FaultCode.WRONG_FORMAT: (Mode.FAULT, Reason.CAMERA_LOST),
    FaultCode.CAMERA_STALLED: (Mode.STALE, Reason.NO_NEW_FRAME),
    FaultCode.DECODE_ERROR: (Mode.STALE, Reason.BAD_PICTURE),
}


class Faults:
    """Says in the stream why the camera delivers nothing."""

    def __init__(self, publisher: Publisher, capture: CaptureThread) -> None:
        self._publisher, self._capture = publisher, capture
        self._said: tuple[int, FaultCode | None] = (-1, None)

    def tell(self, sequence: int) -> None:
        """For a stream that stands at ``sequence``."""
        fault = self._capture.fault_code
        # A frame that was under way when the camera failed takes the fault back.
        if fault is not None and (sequence, fault) != self._said:
            self._publisher.set_mode(*FAULTS[fault])
            self._said = (sequence, fault)
