"""``python -m benchmarks``: accuracy, latency, and the comparison of two results."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from roadmask.cli.accelerator import accelerator_of, add_accelerator
from roadmask.cli.network import add_network, read_as_of
from roadmask.storage.address import location
from roadmask.storage.fetch import fetch
from roadmask.system.command_line import Parser, entry_point, run_command, unwind_on_sigterm
from roadmask.system.files import check_writable, write_text
from roadmask.system.guard import guarded
from roadmask.system.progress import add_progress, use_progress
from roadmask.system.ranges import THREADS, at_least


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m benchmarks",
        description="Measure a model through the daemon's own code, on this machine.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_accuracy(commands)
    _add_latency(commands)
    _add_camera(commands)
    _add_compare(commands)
    _add_peers(commands)
    return parser


def _add(
    commands: argparse._SubParsersAction[Parser], name: str, text: str, epilog: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text, epilog=epilog)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    add_progress(parser)
    return parser


def _add_accuracy(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = _add(
        commands,
        "accuracy",
        "score masks against the truth: IoU of 7 categories, Dice, iIoU",
        "Example: python -m benchmarks accuracy s --dataset town --split val",
    )
    parser.add_argument("model", help=".tflite, .keras, or the name of a shipped model")
    parser.add_argument(
        "--dataset", required=True, help="camvid, cityscapes, cityscapes-coarse or town"
    )
    parser.add_argument("--root", type=location, help="the data set's folder; the town needs none")
    parser.add_argument("--split", default="val", help="default: val")
    parser.add_argument("--only", metavar="PREFIX", help="frames whose id begins so: a drive")
    parser.add_argument(
        "--by",
        metavar="drive|city|REGEX",
        help="a line for each drive, city, or what the expression finds in a frame's id",
    )
    add_network(parser)
    parser.add_argument(
        "--truth-labels", metavar="SET", help="of the masks' ids, where not the data set's own"
    )
    parser.add_argument("--threads", type=THREADS, default=1, help="of the network; default: 1")
    parser.add_argument(
        "--count", type=at_least(1), default=200, help="frames of the town; default: 200"
    )
    parser.add_argument(
        "--video",
        metavar="SOURCE",
        help="measure flicker between its frames too: a video, a folder of frames in order, or "
        "synthetic:town, whose truth is known",
    )
    parser.add_argument(
        "--video-frames",
        type=at_least(2),
        default=200,
        metavar="N",
        help="of the video; default: 200",
    )
    parser.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="a page: worst frames, confusion, roads, reliability, objects by size and distance",
    )
    parser.set_defaults(body=_accuracy)


def _add_latency(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = _add(
        commands,
        "latency",
        "time every stage in the real daemon: paced, then flat out beside bare invokes",
        "Leave a second core free; a busy machine shows in p99 first.",
    )
    parser.add_argument("model", help="a .tflite file, or the name of a shipped model")
    parser.add_argument("--source", help="default: 64 town frames of 1280x720, rendered before")
    parser.add_argument("--threads", type=THREADS, default=1, help="of the network; default: 1")
    parser.add_argument(
        "--cores", default="", metavar="LIST", help="of the network: 2 or 0,2-3 (default: any)"
    )
    add_network(parser)
    parser.add_argument(
        "--frames", type=at_least(1), default=300, help="in each phase; default: 300"
    )
    add_accelerator(parser.add_argument_group("accelerator", "as of roadmask run"))
    parser.set_defaults(body=_latency)


def _add_camera(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = _add(
        commands,
        "camera",
        "CPU time per frame outside the network, beside the loop that is usually written",
        "Motion JPEG of 1280x720, in turns, one thread for the network on both sides.",
    )
    parser.add_argument("model", help="a .tflite file, or the name of a shipped model")
    add_network(parser)
    parser.add_argument(
        "--frames", type=at_least(20), default=150, help="of each turn; default: 150"
    )
    parser.add_argument("--rounds", type=at_least(1), default=5, help="turns of each; default: 5")
    parser.set_defaults(body=_camera)


def _add_compare(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = _add(
        commands,
        "compare",
        "difference of two results of one kind, with a verdict",
        "Exit code 1 when the second is worse.",
    )
    parser.add_argument("first", type=Path, metavar="A.json")
    parser.add_argument("second", type=Path, metavar="B.json")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="two accuracies: where they differ, as a page"
    )
    parser.set_defaults(body=_compare)


def _add_peers(commands: argparse._SubParsersAction[Parser]) -> None:
    parser = _add(
        commands,
        "peers",
        "the same model through MediaPipe, OpenVINO, ONNX Runtime, a plain loop",
        "Needs `make setup-peers`. Example: python -m benchmarks peers s "
        "--json peers.json --plot peers.svg",
    )
    parser.add_argument("model", help="a .tflite file, or the name of a shipped model")
    add_network(parser)
    parser.add_argument("--source", default="", help="frames without truth; default: --dataset")
    parser.add_argument("--dataset", default="town", help="frames with truth; default: town")
    parser.add_argument("--root", type=Path, help="the data set's folder; the town needs none")
    parser.add_argument("--split", default="val", help="default: val")
    parser.add_argument(
        "--frames", type=at_least(1), default=24, help="of them, repeated; default: 24"
    )
    parser.add_argument(
        "--rounds", type=at_least(1), default=8, help="turns of each peer; default: 8"
    )
    parser.add_argument("--threads", type=THREADS, default=1, help="of each network; default: 1")
    parser.add_argument("--rival", default="", metavar="MODEL", help="another model beside it")
    parser.add_argument("--rival-labels", default="cityscapes-19", help="default: cityscapes-19")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="mean IoU over latency")
    parser.set_defaults(body=_peers)


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = _parser().parse_args(arguments)
    unwind_on_sigterm()

    def body() -> int:
        use_progress(options)
        check_writable(options.json)
        return int(options.body(options))

    return run_command(body, verbose=options.verbose)


def _accuracy(options: argparse.Namespace) -> int:
    from benchmarks.model.accuracy import accuracy_result, accuracy_table, measure_accuracy
    from benchmarks.model.by_road import BY, ByRoad, group_of, groups_table
    from benchmarks.model.confidence import confidence_meter
    from roadmask.data.datasets import Subset, open_dataset
    from roadmask.errors import ConfigError
    from roadmask.inference.engine import Engine
    from roadmask.system.files import write_json

    check_writable(options.html)
    group = group_of(options.by or BY[0])
    model = fetch(options.model)
    if model.suffix in (".keras", ".h5"):
        from benchmarks.model.keras_file import open_keras

        engine = open_keras(model, options.labels)
    else:
        engine = Engine(model, options.threads, options.labels, read_as=read_as_of(options))
    dataset = open_dataset(
        options.dataset,
        options.root,
        options.split,
        labels=options.truth_labels,
        count=options.count,
    )
    if options.only:
        inside = [i for i, name in enumerate(dataset.ids) if name.startswith(options.only)]
        if not inside:
            raise ConfigError(f"--only {options.only}: no frame's id begins so")
        dataset = Subset(dataset, inside)
    flicker = None
    if options.video:  # first: a video that cannot be read should not cost the other half
        from benchmarks.model.flicker import measure_flicker

        flicker = measure_flicker(engine, options.video, options.video_frames)
    confidence, roads = confidence_meter(engine), ByRoad(group)
    matrix = measure_accuracy(engine, dataset, confidence=confidence, observe=roads.observe)
    result = accuracy_result(engine, matrix, dataset, options.split, flicker, confidence)
    result |= roads.report()
    if options.json:
        write_json(options.json, result)
    if options.html:
        from benchmarks.report.page import error_page, worst_frames
        from roadmask.inference.predictor import Predictor

        shown = worst_frames(result, dataset, Predictor(engine).mask)
        write_text(options.html, error_page(result, shown))
    print(f"{engine.name} on {dataset.name}/{options.split}, {len(dataset)} frames")
    print(accuracy_table(result))
    if options.by:
        print(groups_table(result))
    return 0


def _latency(options: argparse.Namespace) -> int:
    from benchmarks.daemon.latency import (
        DEFAULT_SOURCE,
        LatencyPlan,
        latency_table,
        measure_latency,
    )
    from roadmask.system.files import write_json

    plan = LatencyPlan(
        options.model,
        options.source or DEFAULT_SOURCE,
        options.threads,
        options.labels or "",
        options.frames,
        accelerator_of(options),
        options.cores,
        read_as_of(options),
    )
    result = measure_latency(plan)
    if options.json:
        write_json(options.json, result)
    print(latency_table(result))
    return 0


def _camera(options: argparse.Namespace) -> int:
    from benchmarks.daemon.camera import CameraPlan, camera_table, measure_camera
    from roadmask.system.files import write_json

    plan = CameraPlan(
        options.model,
        options.frames,
        options.rounds,
        options.labels or "",
        read_as_of(options),
    )
    result = measure_camera(plan)
    if options.json:
        write_json(options.json, result)
    print(camera_table(result))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from benchmarks.compare import compare_files, comparison_page
    from roadmask.system.files import write_json

    check_writable(options.html)
    comparison = compare_files(options.first, options.second)
    if options.html:
        write_text(options.html, comparison_page(options.first, options.second, comparison))
    if options.json:
        write_json(options.json, comparison.to_json())
    print(comparison.text)
    print(f"verdict: {comparison.verdict} ({comparison.reason})")
    return 1 if comparison.verdict == "worse" else 0


def _peers(options: argparse.Namespace) -> int:
    from benchmarks.peers.measure import PeersPlan, measure_peers, peers_table
    from benchmarks.peers.plot import peers_plot
    from roadmask.system.files import write_json

    check_writable(options.plot)
    result = measure_peers(
        PeersPlan(
            options.model,
            options.source,
            options.dataset,
            options.root,
            options.split,
            options.frames,
            options.rounds,
            threads=options.threads,
            rival=options.rival,
            rival_labels=options.rival_labels,
            labels=options.labels or "",
            read_as=read_as_of(options),
        )
    )
    if options.json:
        write_json(options.json, result)
    if options.plot:
        write_text(options.plot, peers_plot(result))
    print(peers_table(result))
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main, lambda: "nothing is written"))
