"""A node in the graph of ROS 2 over Zenoh, as rmw_zenoh's design documentation describes one.

https://github.com/ros2/rmw_zenoh/blob/rolling/docs/design.md: keys of topics, liveliness tokens of
node and publishers, and the attachment of each message. No ROS is needed on this side.
"""

from __future__ import annotations

import re
import struct
import time
from typing import Any

from roadmask.bridge.zenoh_session import load_zenoh
from roadmask.errors import ConfigError
from roadmask.interop.ros2_messages import TYPES, require_ros2, topic_of

# Best effort (2), and a depth of 1; what stands nowhere is rmw_zenoh's default: volatile, keep
# last, no deadline, no lifespan.
_QOS = "2::,1:,:,:,,"
_ATTACHMENT = struct.Struct("<qqB16s")  # sequence, ns of the Unix epoch, length and bytes of a GID
_NAMESPACE = re.compile(r"(/[A-Za-z_][A-Za-z0-9_]*)*/?$")


def check_namespace(given: str) -> str:
    """``given`` as a namespace, without a slash at its end.

    Raises:
        ConfigError: it is none.
    """
    if not given.startswith("/") or not _NAMESPACE.match(given):
        raise ConfigError(
            f"--ros2 {given!r}: expected a namespace such as /roadmask or /car1/front"
        )
    return given.rstrip("/")


class Ros2Node:
    """Node ``roadmask`` in ``namespace``, with a publisher for each of our topics.

    Args:
        session: Zenoh's.
        namespace: as ``check_namespace`` gives it.
        domain: ROS_DOMAIN_ID of those who shall see it.
    """

    def __init__(self, session: Any, namespace: str, domain: int) -> None:
        id_ = f"@ros2_lv/{domain}/{session.info.zid()}/0"
        name = f"%/{_mangled(namespace or '/')}/roadmask"
        liveliness = session.liveliness()
        self._token = liveliness.declare_token(f"{id_}/0/NN/{name}")
        self._publishers = {}
        for count, (topic, kind) in enumerate(TYPES.items(), start=1):
            full = topic_of(topic, namespace)
            what = f"{_dds_name(kind)}/{require_ros2().hash_rihs01(kind)}"
            token = f"{id_}/{count}/MP/{name}/{_mangled(full)}/{what}/{_QOS}"
            self._publishers[topic] = _Publisher(session, f"{domain}{full}/{what}", token)

    def put(self, topic: str, data: bytes) -> None:
        """Send one message; who is not there, or too slow, misses it."""
        self._publishers[topic].put(data)


class _Publisher:
    def __init__(self, session: Any, key: str, token: str) -> None:
        zenoh, xxhash = load_zenoh(), _load_xxhash()
        self._put = session.declare_publisher(
            key,
            congestion_control=zenoh.CongestionControl.DROP,
            reliability=zenoh.Reliability.BEST_EFFORT,
            express=True,
        ).put
        self._token = session.liveliness().declare_token(token)
        # Low half first, each little-endian; others compute it from the token and compare.
        self._gid = xxhash.xxh3_128_intdigest(token.encode()).to_bytes(16, "little")
        self._sequence = 0

    def put(self, data: bytes) -> None:
        self._sequence += 1
        stamp = _ATTACHMENT.pack(self._sequence, time.time_ns(), len(self._gid), self._gid)
        self._put(data, attachment=stamp)


def _mangled(name: str) -> str:
    return name.replace("/", "%")


def _dds_name(kind: str) -> str:
    package, _, name = kind.split("/")
    return f"{package}::msg::dds_::{name}_"


def _load_xxhash() -> Any:
    try:
        import xxhash
    except ImportError as error:
        raise ConfigError(
            f"ROS 2 over Zenoh needs the package xxhash ({error}): pip install 'roadmask[ros2]'"
        ) from error
    return xxhash
