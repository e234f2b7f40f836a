"""``roadmask bridge --foxglove``: the stream live, for Foxglove (extra ``[foxglove]``)."""

from __future__ import annotations

import threading
from typing import Any

from roadmask.errors import ConfigError
from roadmask.interop.foxglove_messages import (
    LOG,
    SCHEMAS,
    frame_messages,
    log_message,
    require_foxglove,
)
from roadmask.interop.view import view_of
from roadmask.stream.modes import Mode, NoMask, Reason
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import clock_mapping, now_ns

_WAIT_S = 0.25


def serve_foxglove(
    socket: str,
    *,
    host: str,
    port: int,
    stop: threading.Event,
    allow_not_live: bool = False,
    max_rate_hz: float = 0.0,
    ready: Any = None,
) -> int:
    """Serve the stream until ``stop``; masks that the SDK refuses are not shown.

    Args:
        socket: path of the daemon's socket.
        host, port: where Foxglove connects; port 0 takes a free one.
        stop: set it to end.
        allow_not_live: show replayed, synthetic and file frames too.
        max_rate_hz: of the frames; 0: every one.
        ready: called with the port once it listens.

    Returns:
        How many masks were sent.

    Raises:
        ConfigError: the extra is missing, or the port is taken.
    """
    require_foxglove()
    import foxglove
    from foxglove import channels

    context = foxglove.Context()
    try:
        server = foxglove.start_server(name="roadmask", host=host, port=port, context=context)
    except (RuntimeError, OSError, ValueError) as error:
        raise ConfigError(
            f"Foxglove's server cannot listen at {host}:{port}: {error}; give another --listen"
        ) from error
    told = {
        topic: getattr(channels, f"{schema}Channel")(topic, context=context)
        for topic, schema in SCHEMAS.items()
    }
    if ready is not None:
        ready(server.port)
    sent, last_bits, next_ns = 0, -1, 0
    try:
        with Subscriber(socket, allow_not_live=allow_not_live, preview=True) as subscriber:
            while not stop.is_set():
                mask = subscriber.receive(_WAIT_S)
                offset_ns = clock_mapping().offset_ns
                mode, reasons = _mode(subscriber, mask is not None)
                if int(mode) | int(reasons) != last_bits:
                    last_bits = int(mode) | int(reasons)
                    time_ns = now_ns() + offset_ns
                    told[LOG].log(log_message(time_ns, mode, reasons), log_time=time_ns)
                if mask is None or now_ns() < next_ns:
                    continue
                if max_rate_hz:
                    next_ns = now_ns() + int(1e9 / max_rate_hz)
                view = view_of(mask, offset_ns)
                for topic, message in frame_messages(view).items():
                    told[topic].log(message, log_time=view.time_ns)
                sent += 1
    finally:
        server.stop()
    return sent


def _mode(subscriber: Subscriber, got: bool) -> tuple[Mode, Reason]:
    """The stream's mode; FAULT without a stream, or while it is silent."""
    status = subscriber.status
    if status is None or (not got and subscriber.reason is NoMask.SILENT):
        return Mode.FAULT, Reason.NONE
    return status.mode, status.reasons
