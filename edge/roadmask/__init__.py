"""roadmask: driving frames in, masks of 8 categories out, over a socket that can be trusted.

``from roadmask import Subscriber`` is what a reader of the stream needs; importing the package
itself loads neither OpenCV nor LiteRT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roadmask.bridge.subscriber import RemoteSubscriber
    from roadmask.inference.predictor import Segmentation, load
    from roadmask.stream.modes import Mode, NoMask, Reason
    from roadmask.stream.subscribe.async_subscriber import AsyncSubscriber
    from roadmask.stream.subscribe.subscriber import Mask, Subscriber

__all__ = [
    "AsyncSubscriber",
    "Mask",
    "Mode",
    "NoMask",
    "Reason",
    "RemoteSubscriber",
    "Segmentation",
    "Subscriber",
    "__version__",
    "load",
]
__version__ = "0.1.0"

_HOME = {
    "AsyncSubscriber": "roadmask.stream.subscribe.async_subscriber",
    "Mask": "roadmask.stream.subscribe.subscriber",
    "Mode": "roadmask.stream.modes",
    "NoMask": "roadmask.stream.modes",
    "Reason": "roadmask.stream.modes",
    "RemoteSubscriber": "roadmask.bridge.subscriber",
    "Segmentation": "roadmask.inference.predictor",
    "Subscriber": "roadmask.stream.subscribe.subscriber",
    "load": "roadmask.inference.predictor",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'roadmask' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
