"""``python -m convert``: a trained model becomes a measured full-INT8 file, or is turned away.

What it does is imported in the guard's child, so Ctrl-C is heard at once.
"""

from __future__ import annotations

import sys

from roadmask.system.guard import guarded


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    from convert.command import main

    return main(arguments)


if __name__ == "__main__":
    sys.exit(guarded(main, lambda: "nothing is written"))
