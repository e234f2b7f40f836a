"""Scripted mask streams, without camera or model: for whoever tests what he does with masks."""

from __future__ import annotations

from roadmask.testing.player import StreamPlayer
from roadmask.testing.raw_publisher import RawPublisher
from roadmask.testing.scenes import SCENES

__all__ = ["SCENES", "RawPublisher", "StreamPlayer"]
