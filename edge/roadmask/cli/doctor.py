"""The command line of ``roadmask doctor``."""

from __future__ import annotations

import argparse
from pathlib import Path

from roadmask.cli.accelerator import accelerator_of, add_accelerator
from roadmask.cli.network import add_network, read_as_of
from roadmask.system.ranges import THREADS

DOCTOR_EXAMPLES = """\
examples:
  roadmask doctor --verify s
  roadmask doctor --socket /run/roadmask-front/masks.v1.sock --reader s4
  roadmask doctor --verify net.tflite --delegate libedgetpu.so.1 --json where-it-runs.json
Exit code 1: a fault.
"""
_SIGNS = {"ok": "ok   ", "note": "note ", "fault": "FAULT"}


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask doctor``."""
    parser.add_argument("--verify", metavar="MODEL", help="run this model's golden frames here")
    add_network(parser)
    parser.add_argument("--threads", type=THREADS, default=1, help="of the network; default: 1")
    add_accelerator(parser.add_argument_group("accelerator", "with --verify"))
    parser.add_argument("--socket", type=Path, help="where the daemon would publish")
    parser.add_argument("--reader", metavar="USER", help="may this user connect there?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    parser.set_defaults(body=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from roadmask.errors import ConfigError
    from roadmask.inference.engine import Engine
    from roadmask.stream.protocol import DEFAULT_SOCKET
    from roadmask.system.command_line import EXIT_DONE, EXIT_GATE
    from roadmask.system.files import write_json
    from roadmask.tools.doctor import (
        examine,
        examine_delegate,
        examine_reader,
        to_json,
        verify_model,
    )

    checks = examine(options.socket or Path(DEFAULT_SOCKET))
    if options.reader:
        checks.append(examine_reader(options.reader, options.socket or Path(DEFAULT_SOCKET)))
    engine = None
    accelerator = accelerator_of(options)
    if options.verify:
        engine = Engine(
            options.verify, options.threads, options.labels, accelerator, read_as_of(options)
        )
        if accelerator.delegate:
            checks.append(examine_delegate(accelerator.delegate))
        checks += verify_model(engine)
    elif accelerator.name:
        raise ConfigError(f"{accelerator.name}: give the network to run there with --verify MODEL")
    result = to_json(checks, engine)
    if options.json:
        write_json(options.json, result)
    for check in checks:
        print(f"{_SIGNS[check.status]} {check.name}: {check.text}")
    return EXIT_DONE if result["fit"] else EXIT_GATE
