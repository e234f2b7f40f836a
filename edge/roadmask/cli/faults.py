"""``roadmask faults``."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

FAULTS_EXAMPLES = """\
examples:
  roadmask faults --json faults.json --html faults.html
  roadmask faults --only network --only frozen
Minutes; each fault has a daemon, a socket and a camera of its own. Exit code 1: not as expected.
"""


def add_faults(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask faults``."""
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="in the group or name; again"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report")
    parser.add_argument("--html", type=Path, metavar="FILE", help="the same as a page")
    parser.add_argument(
        "--subscribe",
        metavar="PROGRAM",
        default=shutil.which("roadmask-subscribe") or "",
        help="the C++ library's example, to judge too (default: the installed one, if any)",
    )
    parser.set_defaults(body=_faults)


def _faults(options: argparse.Namespace) -> int:
    from roadmask.errors import ConfigError
    from roadmask.system.command_line import EXIT_DONE, EXIT_GATE
    from roadmask.system.files import check_writable, write_json, write_text
    from roadmask.tools.faults.run import Outcome, to_html, try_all
    from roadmask.tools.faults.table import TABLE

    words = options.only
    chosen = [f for f in TABLE if not words or any(w in f"{f.group} {f.name}" for w in words)]
    if not chosen:
        raise ConfigError(f"--only {' '.join(words)}: no fault is called so; leave it out")
    if options.subscribe and shutil.which(options.subscribe) is None:
        raise ConfigError(
            f"--subscribe {options.subscribe}: is no program; build the target `subscribe`"
        )
    for path in (options.json, options.html):
        check_writable(path)

    def tell(outcome: Outcome) -> None:
        again = "" if outcome.again_s is None else f", well after {outcome.again_s:.2f} s"
        named = "" if outcome.named_s is None else f"{outcome.named_s:.2f} s{again}"
        line = f"{outcome.verdict:8}{outcome.group}: {outcome.name}: {named} {outcome.remark}"
        print(line.rstrip(), flush=True)

    report = try_all(chosen, tell, options.subscribe)
    if options.json:
        write_json(options.json, report)
    if options.html:
        write_text(options.html, to_html(report))
    print(f"{report['passed']} of {report['tried']} as expected; {' and '.join(report['judges'])}: "
          f"{report['masks']} masks taken, {report['too_old']} too old")  # fmt: skip
    return EXIT_DONE if report["passed"] == report["tried"] else EXIT_GATE
