"""roadmask: driving frames in, masks of 8 categories out, over a socket that can be trusted.

``from roadmask import Subscriber`` is what a reader of the stream needs; importing the package
itself loads neither OpenCV nor LiteRT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roadmask.aclient import AsyncSubscriber
    from roadmask.client import Mask, Subscriber
    from roadmask.modes import Mode, NoMask, Reason
    from roadmask.remote import RemoteSubscriber

__all__ = [
    "AsyncSubscriber",
    "Mask",
    "Mode",
    "NoMask",
    "Reason",
    "RemoteSubscriber",
    "Subscriber",
    "__version__",
]
__version__ = "0.1.0"

_HOME = {
    "AsyncSubscriber": "roadmask.aclient",
    "Mask": "roadmask.client",
    "Mode": "roadmask.modes",
    "NoMask": "roadmask.modes",
    "Reason": "roadmask.modes",
    "RemoteSubscriber": "roadmask.remote",
    "Subscriber": "roadmask.client",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'roadmask' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
