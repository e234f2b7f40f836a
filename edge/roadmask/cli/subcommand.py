"""One subcommand added to the parser."""

from __future__ import annotations

import argparse
from typing import Any


def _add(
    commands: argparse._SubParsersAction[Any],
    name: str,
    text: str,
    advanced: bool = False,
) -> argparse.ArgumentParser:
    # What has no help text is not listed: _ADVANCED names it.
    listed: dict[str, Any] = {} if advanced else {"help": text}
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        **listed,
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    return parser
