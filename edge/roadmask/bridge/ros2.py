"""``roadmask bridge --ros2``: the stream as ROS 2 topics over Zenoh (extra ``[ros2]``)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from roadmask.bridge.ros2_node import Ros2Node, check_namespace
from roadmask.bridge.zenoh_session import DEFAULT_ENDPOINT, open_session
from roadmask.interop.ros2_messages import (
    DIAGNOSE_NS,
    DIAGNOSTICS,
    diagnostics,
    frame_messages,
    require_ros2,
)
from roadmask.interop.view import view_of
from roadmask.stream.modes import NoMask
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import clock_mapping, now_ns

_WAIT_S = 0.25
# Beside what it connects to, as every node: peers that a router tells of connect directly.
_ANY_PORT = "tcp/127.0.0.1:0"


def serve_ros2(
    socket: str,
    *,
    namespace: str = "/roadmask",
    domain: int = 0,
    connect: Sequence[str] = (),
    listen: Sequence[str] = (),
    scout: bool = False,
    allow_not_live: bool = False,
    max_rate_hz: float = 0.0,
    stop: threading.Event,
    ready: Callable[[], object] = lambda: None,
) -> dict[str, int]:
    """Publish the stream until ``stop``: the masks that the SDK hands out, and no others.

    Args:
        socket: path of the daemon's socket. It need not exist yet.
        namespace: of node and topics.
        domain: ROS_DOMAIN_ID.
        connect: Zenoh endpoints; neither these nor ``listen``: rmw_zenoh's router on this machine.
        listen: Zenoh endpoints; none: a port of this machine's loopback.
        scout: let Zenoh look for peers by multicast.
        allow_not_live: publish replayed, synthetic and file frames too.
        max_rate_hz: most frames a second; 0: every one.
        stop: set it to end.
        ready: called once the node is there.

    Returns:
        ``frames`` and ``diagnostics`` sent.

    Raises:
        ConfigError: an extra is missing, or a name or endpoint that cannot be used.
    """
    require_ros2()
    namespace = check_namespace(namespace)
    connect = connect or (() if listen else (DEFAULT_ENDPOINT,))
    sent = {"frames": 0, "diagnostics": 0}
    told, told_ns, next_ns = (NoMask.NONE, -1), 0, 0
    with (
        open_session(connect, listen or (_ANY_PORT,), scout, gossip=True) as session,
        Subscriber(socket, allow_not_live=allow_not_live) as subscriber,
    ):
        node = Ros2Node(session, namespace, domain)
        ready()
        while not stop.is_set():
            mask = subscriber.receive(_WAIT_S)
            clock, now = clock_mapping(), now_ns()
            status = subscriber.status
            why = subscriber.reason
            why = NoMask.NONE if mask is not None or why is NoMask.NO_NEW_FRAME else why
            state = why, status.mode_bits if status else -1
            if state != told or now - told_ns >= DIAGNOSE_NS:
                told, told_ns = state, now
                text = subscriber.reason_text
                bound_ns = clock.bound_at(now)
                said = diagnostics(clock.from_boottime(now), status, why, text, bound_ns)
                node.put(DIAGNOSTICS, said)
                sent["diagnostics"] += 1
            if mask is None or now < next_ns:
                continue
            if max_rate_hz:
                next_ns = now + int(1e9 / max_rate_hz)
            messages = frame_messages(view_of(mask, clock.offset_ns))
            if not mask.valid:  # it went too old meanwhile
                continue
            for topic, data in messages.items():
                node.put(topic, data)
            sent["frames"] += 1
    return sent
