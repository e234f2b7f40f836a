"""Scripted mask streams, without camera or model: for whoever tests what he does with masks."""

from __future__ import annotations

from roadmask.testing.player import SCENES, StreamPlayer

__all__ = ["SCENES", "StreamPlayer"]
