"""``python -m benchmarks.stream``: the mask stream beside ZeroMQ, with the targets' verdict."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.stream.measure import StreamPlan, measure_stream, stream_table
from roadmask.system.command_line import EXIT_DONE, EXIT_GATE, Parser, entry_point, run_command
from roadmask.system.files import check_writable, write_json
from roadmask.system.ranges import at_least, between

_LIMIT = 0.5  # of ZeroMQ's latency and CPU, with 4 subscribers and 512 KiB masks


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 1 if a target is missed."""
    plan = StreamPlan()
    parser = Parser(prog="python -m benchmarks.stream", description=__doc__)
    parser.add_argument("--subscribers", type=between(1, 32), nargs="+", default=plan.subscribers)
    parser.add_argument(
        "--rates", type=between(1, 1000), nargs="+", default=plan.rates_hz, help="Hz"
    )
    parser.add_argument(
        "--sizes",
        type=between(128, 512),
        nargs="+",
        choices=(512, 128),
        default=plan.sizes_kib,
        help="KiB",
    )
    parser.add_argument("--languages", nargs="+", choices=("python", "cpp"), default=plan.languages)
    parser.add_argument(
        "--seconds", type=between(0.1, 3600.0), default=plan.seconds, help="per case and round"
    )
    parser.add_argument("--rounds", type=at_least(1), default=plan.rounds)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    options = parser.parse_args(arguments)

    def body() -> int:
        check_writable(options.json)
        result = measure_stream(
            StreamPlan(
                tuple(options.subscribers),
                tuple(options.rates),
                tuple(options.sizes),
                tuple(options.languages),
                options.seconds,
                options.rounds,
            )
        )
        if options.json:
            write_json(options.json, result)
        print(stream_table(result))
        missed = list(_missed(result))
        for line in missed:
            print(line)
        return EXIT_GATE if missed else EXIT_DONE

    return run_command(body, verbose=options.verbose)


def _missed(result: dict[str, Any]) -> list[str]:
    return [
        f"missed: {name} {case['ratio'][name]} of ZeroMQ's, limit {_LIMIT} "
        f"({case['language']}, {case['rate_hz']} Hz)"
        for case in result["cases"]
        if case["subscribers"] == 4 and case["size_kib"] == 512
        for name in ("latency_p50", "publisher_cpu")
        if case["ratio"][name] is None or case["ratio"][name] > _LIMIT
    ]


if __name__ == "__main__":
    sys.exit(main())
