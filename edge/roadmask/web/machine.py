"""What this machine tells about itself: its temperature, and who holds the daemon's socket."""

from __future__ import annotations
