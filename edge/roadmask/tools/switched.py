"""Whether a running daemon took a model over: seen in its own stream."""

from __future__ import annotations

from roadmask.stream.modes import Reason
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns

_FRAMES = 20  # of the new model, before it is believed


def took_over(socket: str, digest: str, timeout_s: float) -> str:
    """Wait until masks at ``socket`` are made by the model of this digest.

    Returns:
        Nothing when they are, else what came instead.
    """
    seen, end_ns = 0, now_ns() + int(timeout_s * 1e9)
    last = "no mask"
    with Subscriber(socket, **TAKE_EVERYTHING) as stream:
        while now_ns() < end_ns:
            mask = stream.receive(timeout_s=0.1)
            status = stream.status
            if mask is None:
                if seen and status and status.reasons & Reason.INFERENCE_FAILED:
                    return "its engine was lost with the new model"
                last = stream.reason_text if not seen else last
                continue
            if mask.model is None or mask.model.digest.hex() != digest:
                if seen:
                    return "it gave the new model up"
                last = f"masks of {mask.model.name if mask.model else 'another model'}"
                continue
            seen += 1
            if seen == _FRAMES:
                return ""
    return f"after {timeout_s:g} s it gave {last}; its log says why"
