"""Where the ``roadmask`` command begins: no signal ends it while it imports itself."""

from __future__ import annotations

from roadmask.system.first_moments import hold_signals


def main() -> int:
    """Entry point of the process; returns the exit code."""
    hold_signals()
    from roadmask.cli.main import main as command

    return command()
