"""The command line of a conversion, and of picking its calibration frames."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from convert.calibration.frames import SHIPPED, TOWN_SIZE
from convert.judge.gates import Gates
from convert.judge.history import FOLDER
from convert.quantise.converter import MODES
from convert.quantise.input_range import CHANNELS, mean_range, named_range
from roadmask.cli.network import accept_negative_ranges
from roadmask.cli.options import add_settings, given
from roadmask.errors import ConfigError
from roadmask.inference.pixels import Pixels
from roadmask.inference.reading.read_as import ReadAs
from roadmask.storage.address import location
from roadmask.storage.fetch import fetch, fetch_folder
from roadmask.system.command_line import (
    EXIT_DONE,
    EXIT_GATE,
    Parser,
    entry_point,
    parse_size,
    run_command,
)
from roadmask.system.files import check_writable, write_bytes, write_text
from roadmask.system.progress import add_progress, track, use_progress
from roadmask.system.ranges import TEMPERATURE, THREADS, at_least, between, unusable


def _convert_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m convert",
        description="Convert a network to full INT8 and measure what it cost. Both "
        "are scored and timed through the daemon's own code; a model that misses a gate is left "
        "as OUT.rejected.tflite and OUT is not touched. `python -m convert calibrate --help` "
        "tells how to pick calibration frames.",
        epilog="Example: python -m convert runs/roadnet/roadnet.keras --out roadnet-480x352.tflite",
    )
    parser.add_argument(
        "model",
        type=location,
        metavar="MODEL",
        help=".keras, .h5, SavedModel folder, .onnx or float .tflite",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="MODEL.tflite", help="the report: MODEL.json"
    )
    parser.add_argument(
        "--size",
        type=parse_size,
        metavar="WxH",
        help="input of a network of the zoo, or of one without a fixed size; default: its own",
    )
    parser.add_argument(
        "--custom-objects",
        type=Path,
        metavar="FILE.py",
        help="layers and functions that the model's file names; the file is run",
    )
    parser.add_argument(
        "--calibration",
        type=location,
        default=SHIPPED,
        metavar="DIR|MANIFEST",
        help="training pictures, or a manifest of them; default: the shipped town frames",
    )
    parser.add_argument(
        "--calibration-root",
        type=location,
        metavar="DIR",
        help="the manifest's data set; default: --eval-root",
    )
    parser.add_argument("--eval-dataset", default="town", help="default: town")
    parser.add_argument("--eval-root", type=location, metavar="DIR", help="the data set's folder")
    parser.add_argument("--eval-split", default="val", help="default: val")
    parser.add_argument(
        "--eval-count", type=at_least(1), default=100, help="frames of the town; default: 100"
    )
    parser.add_argument("--labels", default="", help="label set, where the classes do not tell")
    parser.add_argument(
        "--truth-labels", default="", metavar="SET", help="of the masks' ids, where not the usual"
    )
    _add_input(parser)
    accept_negative_ranges(parser)
    _add_quantisation(parser)
    _add_gates(parser)
    parser.add_argument(
        "--video", metavar="SOURCE", help="flicker is measured on it; default: a drive in the town"
    )
    parser.add_argument("--threads", type=THREADS, default=1, help="while timing; default: 1")
    parser.add_argument("--source", help="timed frames; default: 64 town frames of 1280x720")
    parser.add_argument("--latency-frames", type=at_least(20), default=200, help="default: 200")
    parser.add_argument("--no-latency", action="store_true", help="judge without timing")
    parser.add_argument("-v", "--verbose", action="store_true", help="tracebacks, TensorFlow's log")
    add_progress(parser)
    return parser


def _add_input(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "pixels", "what a network without a leading Rescaling takes; found out where not told"
    )
    add_settings(group, ReadAs, "input_range", "channels")
    for option, text in (("--mean", "(pixel - mean) / std"), ("--std", "pixels of 0 to 255")):
        group.add_argument(
            option,
            type=_channel_numbers,
            metavar="X[,Y,Z]",
            help=f"{text}; one number or one for each channel, in the network's order",
        )


def _channel_numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        raise unusable(text, "numbers with commas between them") from None


def _input_range(options: argparse.Namespace) -> Pixels | None:
    """What is told of the pixels, None where the range is not."""
    given = [options.input_range is not None, options.mean is not None, options.std is not None]
    if given not in ([False] * 3, [True, False, False], [False, True, True]):
        raise ConfigError("give --input-range, or --mean and --std")
    channels = options.channels or CHANNELS[0]
    if options.input_range is not None:
        return named_range(options.input_range, channels)
    return mean_range(options.mean, options.std, channels) if options.mean is not None else None


def _add_quantisation(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("quantisation")
    group.add_argument(
        "--mode",
        choices=MODES,
        default="int8",
        help="; ".join(f"{name}: {text}" for name, text in MODES.items()) + "; default: int8",
    )
    group.add_argument(
        "--float-layers",
        type=lambda text: tuple(filter(None, text.split(","))),
        default=(),
        metavar="A,B",
        help="layers of int8 that stay in float, by their Keras names",
    )
    group.add_argument(
        "--recover",
        type=between(1, 1000),
        default=0,
        metavar="EPOCHS",
        help="where a gate of accuracy is missed, train the network of a Keras file to say in INT8 "
        "what it says in float, for so many passes over the calibration frames; before --repair",
    )
    group.add_argument(
        "--repair",
        action="store_true",
        help="where a gate of accuracy is missed, keep the fewest layers in float that pass it",
    )
    group.add_argument(
        "--allow-float",
        action="store_true",
        help="let operators without an INT8 form stay in float; the certificate lists them",
    )
    group.add_argument(
        "--temperature",
        type=TEMPERATURE,
        default=1.0,
        metavar="T",
        help="of the confidences, as `python -m benchmarks accuracy` fits it on frames that "
        "training never saw; default: 1",
    )


def _add_gates(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "gates", "against the float model and against the last accepted conversion"
    )
    add_settings(group, Gates)
    group.add_argument(
        "--history",
        type=Path,
        default=FOLDER,
        metavar="DIR",
        help="accepted conversions to compare with and to add to; default: benchmarks/history",
    )
    group.add_argument(
        "--no-history", action="store_true", help="neither compare with them nor add to them"
    )


def _calibrate_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m convert calibrate",
        description="Pick calibration frames from a training split: every drive or city by its "
        "share, and within it the frames that differ most in content and brightness.",
        epilog="Example: python -m convert calibrate --dataset camvid --root DIR --count 64",
    )
    parser.add_argument("--dataset", required=True, help="camvid, cityscapes or town")
    parser.add_argument("--root", type=location, help="the data set's folder; the town needs none")
    parser.add_argument("--split", default="train", help="default: train")
    parser.add_argument(
        "--count", type=at_least(1), required=True, help="frames to pick; 64 is plenty"
    )
    parser.add_argument(
        "--candidates", type=at_least(1), default=1000, help="frames looked at; default: 1000"
    )
    parser.add_argument("--seed", type=at_least(0), default=1, help="default: 1")
    parser.add_argument(
        "--out", type=Path, metavar="FILE.toml", help="default: calibration_data/DATASET.toml"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    add_progress(parser)
    return parser


@entry_point
def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["calibrate"]:
        options = _calibrate_parser().parse_args(arguments[1:])
        return run_command(lambda: _calibrate(options), verbose=options.verbose)
    options = _convert_parser().parse_args(arguments)
    return run_command(lambda: _convert(options), verbose=options.verbose)


def _convert(options: argparse.Namespace) -> int:
    from benchmarks.daemon.latency import DEFAULT_SOURCE
    from convert.judge.history import add_to_history
    from convert.pipeline import convert
    from convert.plan import DEFAULT_VIDEO, ConversionPlan
    from convert.report.page import page
    from convert.report.summary import history_entry, summary
    from roadmask.system.files import write_json

    use_progress(options)
    out: Path = options.out
    if out.suffix != ".tflite":
        raise ConfigError(f"--out {out}: expected a file that ends in .tflite")
    check_writable(out)
    eval_root = options.eval_root and fetch_folder(options.eval_root)
    own_root = options.calibration_root and fetch_folder(options.calibration_root)
    plan = ConversionPlan(
        model=fetch(options.model),
        calibration=_calibration(options.calibration),
        calibration_root=own_root or eval_root,
        eval_dataset=options.eval_dataset,
        eval_root=eval_root,
        eval_split=options.eval_split,
        eval_count=options.eval_count,
        labels=options.labels,
        size=options.size,
        custom_objects=options.custom_objects,
        truth_labels=options.truth_labels,
        input_range=_input_range(options),
        channels=options.channels or "",
        mode=options.mode,
        float_layers=options.float_layers,
        recover=options.recover,
        repair=options.repair,
        allow_float=options.allow_float,
        temperature=options.temperature,
        gates=Gates(**given(Gates, options)),
        history=None if options.no_history else options.history,
        video=options.video or DEFAULT_VIDEO,
        latency_source=options.source or DEFAULT_SOURCE,
        latency_frames=options.latency_frames,
        time=not options.no_latency,
        threads=options.threads,
        verbose=options.verbose,
    )
    conversion = convert(plan)
    # STEM.rejected.tflite: quarantine lies beside the place that the model did not take.
    target = out.with_suffix(".rejected.tflite") if conversion.missed else out
    report = target.with_suffix(".json")
    write_bytes(target, conversion.model)
    write_json(report, conversion.report)
    web_page = target.with_suffix(".html")
    write_text(web_page, page(conversion.report, conversion.pictures))
    print(summary(conversion.report))
    if conversion.missed:
        missed = "; ".join(conversion.missed)
        hint = f"; {conversion.advice}" if conversion.advice else ""
        print(f"roadmask: rejected: {missed}{hint}; see {web_page}", file=sys.stderr)
        return EXIT_GATE
    if plan.history is not None:
        add_to_history(
            plan.history, conversion.report["model"]["name"], history_entry(conversion.report)
        )
    print(f"written: {target} ({len(conversion.model) / 1024:.0f} KiB), {report}, {web_page}")
    return EXIT_DONE


def _calibration(given: str | Path) -> Path:
    """A manifest is one file; anything else is a folder."""
    manifest = str(given).partition("#")[0].endswith(".toml")
    return fetch(given) if manifest else fetch_folder(given)


def _calibrate(options: argparse.Namespace) -> int:
    from convert.calibration.frames import manifest_text
    from convert.calibration.pick import pick_frames
    from roadmask.data.datasets import open_dataset

    use_progress(options)
    out = options.out or SHIPPED.parent / f"{options.dataset}.toml"
    check_writable(out)

    def progress(frames: Any, total: int) -> Any:
        return track(frames, "looking at frames", total)

    dataset = open_dataset(
        options.dataset,
        options.root,
        options.split,
        count=max(4 * options.count, 8),
        size=TOWN_SIZE,
    )
    manifest = pick_frames(
        dataset,
        options.split,
        options.count,
        options.seed,
        candidates=options.candidates,
        progress=progress,
    )
    write_text(out, manifest_text(manifest))
    shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in manifest.histogram.items())
    print(f"written: {out}, {len(manifest.frames)} of {manifest.available} frames: {shares}")
    return EXIT_DONE
