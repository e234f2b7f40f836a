"""roadmask: driving frames in, masks of 8 categories out, over a socket that can be trusted.

``from roadmask import Subscriber`` is what a reader of the stream needs; importing the package
itself loads neither OpenCV nor LiteRT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from roadmask.bridge.subscriber import RemoteSubscriber
    from roadmask.errors import (
        CaptureError,
        Check,
        ConfigError,
        DataError,
        ModelError,
        ProtocolError,
        PublishError,
        RoadmaskError,
    )
    from roadmask.inference.predictor import Segmentation, load
    from roadmask.labels.label_set import Category
    from roadmask.stream import products
    from roadmask.stream.modes import Mode, NoMask, Reason
    from roadmask.stream.subscribe.async_subscriber import AsyncSubscriber
    from roadmask.stream.subscribe.history import History
    from roadmask.stream.subscribe.subscriber import Mask, Subscriber
    from roadmask.stream.subscribe.subscriber_set import MaskSet, SubscriberSet
    from roadmask.system.clock import ClockMapping, clock_mapping

__all__ = [
    "AsyncSubscriber",
    "CaptureError",
    "Category",
    "Check",
    "ClockMapping",
    "ConfigError",
    "DataError",
    "History",
    "Mask",
    "MaskSet",
    "Mode",
    "ModelError",
    "NoMask",
    "ProtocolError",
    "PublishError",
    "Reason",
    "RemoteSubscriber",
    "RoadmaskError",
    "Segmentation",
    "Subscriber",
    "SubscriberSet",
    "__version__",
    "clock_mapping",
    "load",
    "products",
]

_HOME = {
    "AsyncSubscriber": "roadmask.stream.subscribe.async_subscriber",
    "CaptureError": "roadmask.errors",
    "Category": "roadmask.labels.label_set",
    "Check": "roadmask.errors",
    "ClockMapping": "roadmask.system.clock",
    "ConfigError": "roadmask.errors",
    "DataError": "roadmask.errors",
    "History": "roadmask.stream.subscribe.history",
    "Mask": "roadmask.stream.subscribe.subscriber",
    "MaskSet": "roadmask.stream.subscribe.subscriber_set",
    "Mode": "roadmask.stream.modes",
    "ModelError": "roadmask.errors",
    "NoMask": "roadmask.stream.modes",
    "ProtocolError": "roadmask.errors",
    "PublishError": "roadmask.errors",
    "Reason": "roadmask.stream.modes",
    "RemoteSubscriber": "roadmask.bridge.subscriber",
    "RoadmaskError": "roadmask.errors",
    "Segmentation": "roadmask.inference.predictor",
    "Subscriber": "roadmask.stream.subscribe.subscriber",
    "SubscriberSet": "roadmask.stream.subscribe.subscriber_set",
    "clock_mapping": "roadmask.system.clock",
    "load": "roadmask.inference.predictor",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":  # stands in edge/cpp/include/roadmask/version.h alone
        from roadmask._native import VERSION  # importlib.metadata takes 12 ms

        return VERSION
    if name not in __all__:
        raise AttributeError(f"module 'roadmask' has no attribute {name!r}")
    from importlib import import_module

    if name == "products":
        return import_module("roadmask.stream.products")
    return getattr(import_module(_HOME[name]), name)
