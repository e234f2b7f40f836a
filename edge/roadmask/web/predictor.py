"""One picture through a network, as the daemon does it with ``--mask-size camera``."""

from __future__ import annotations
