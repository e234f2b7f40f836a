"""Why the mode is not OK, in plain words for whoever looks at the page."""

from __future__ import annotations

from roadmask.stream.modes import Reason
from roadmask.web.schemas import ReasonText

REASON_TEXT = {
    Reason.CPU_FALLBACK: "the accelerator is gone, the processor took over",
    Reason.THERMAL: "the processor is hot and may be slowed down",
    Reason.POWER: "the supply voltage is low, or the power mode is throttled",
    Reason.LOW_RATE: "fewer frames come than the camera should give",
    Reason.LOW_CONFIDENCE: "the network is far less sure than of its golden frames",
    Reason.DARK: "the picture is too dark",
    Reason.BLOCKED: "the lens is covered or dirty",
    Reason.FROZEN: "the camera repeats one picture",
    Reason.ESTIMATED_TIME: "the camera gives no usable time: the age counts from the arrival",
    Reason.IMPLAUSIBLE: "one category covers nearly all of the picture",
    Reason.FLICKER: "the mask changes where the picture stands still",
    Reason.DRIFT: "the network's numbers leave the range that it was calibrated for",
    Reason.NO_NEW_FRAME: "no new picture comes from the camera",
    Reason.CAMERA_LOST: "the camera is gone or busy",
    Reason.INFERENCE_FAILED: "the network failed on a frame, or gave no numbers or no known class",
    Reason.STARTING: "the daemon is starting",
    Reason.BAD_TIMESTAMP: "a frame's time is zero or in the future",
    Reason.SHUTDOWN: "the daemon stops",
    Reason.NOT_ALLOWED: "the daemon does not allow this user",
    Reason.TOO_MANY_CLIENTS: "the daemon has as many subscribers as it takes",
    Reason.BAD_PICTURE: "the camera delivers, but nothing that can be decoded",
    Reason.OVEREXPOSED: "nearly all of the picture is white",
    Reason.UNVERIFIED: "the model was not checked against its golden frames on this board",
    Reason.REDUCED: "by plan fewer frames, or a smaller network, than configured",
}


def explain(reasons: Reason) -> list[ReasonText]:
    """Every reason that is set, with its sentence."""
    return [
        ReasonText(name=reason.name or "", text=text)
        for reason, text in REASON_TEXT.items()
        if reason in reasons
    ]
