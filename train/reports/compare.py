"""``python -m train compare``: one report over several runs, as HTML and as Markdown."""

from __future__ import annotations

import argparse
from pathlib import Path

from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError, DataError
from roadmask.imaging.encoding import encode_picture
from roadmask.system.command_line import EXIT_DONE, Parser
from roadmask.system.ranges import at_least
from train.reports.page import Page, Picture, Section
from train.reports.plots import class_bars, confusion_matrices, curves
from train.reports.table import class_table, hardware, notes, table
from train.runs.files import Run, read_run

_EXAMPLES = """\
A RUN is the --out folder of a training, or a record of one (train/records/NAME): the record has no
network, so it is missing among the segmented frames. INT8 columns come from the .json that
`python -m convert RUN/NAME.keras ... --out RUN/NAME.tflite` writes into the run's folder.

Examples:
  python -m train compare runs/roadnet runs/unet_mini --out report.html
  python -m train compare train/records/* --out report.html --frames 0
  python -m train compare runs/a runs/b --dataset camvid --root DIR --out mine.html
"""


def make_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = Parser(
        prog="python -m train compare",
        description="Write one self-contained report over several runs: a table, IoU by class, "
        "curves, confusion matrices, and the same frames segmented by every network.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run, or its record")
    add("--out", type=Path, required=True, metavar="REPORT.html", help="and REPORT.md beside it")
    add("--title", default="Comparison", help="of the report")
    add("--dataset", default="town", help="where the shown frames come from (default: town)")
    add("--root", type=Path, help="that data set's folder")
    add("--split", default="val", help="of that data set (default: val)")
    add(
        "--frames",
        type=at_least(0),
        default=3,
        metavar="N",
        help="how many; 0 for none (default: 3)",
    )
    add("--convert-json", type=Path, action="append", default=[], metavar="FILE", help=_CONVERT)
    add("-v", "--verbose", action="store_true", help="show tracebacks")
    return parser


_CONVERT = "a conversion's .json, one for each RUN in their order, where it lies elsewhere"


def run(options: argparse.Namespace) -> int:
    """Write the report; the exit code.

    Raises:
        RoadmaskError: a run that cannot be read, or a report that cannot be written.
    """
    if options.out.suffix != ".html":
        raise ConfigError(f"--out {options.out}: expected a file that ends in .html")
    if options.convert_json and len(options.convert_json) != len(options.runs):
        raise ConfigError(
            f"--convert-json: {len(options.convert_json)} given for {len(options.runs)} runs; "
            "give one for each, in the same order"
        )
    conversions = options.convert_json or [None] * len(options.runs)
    runs = [read_run(*pair) for pair in zip(options.runs, conversions, strict=True)]
    page = make_page(options.title, runs)
    if options.frames > 0 and any(r.network for r in runs):
        from train.keras_import import import_keras

        import_keras(verbose=options.verbose)  # Keras loads only where a network runs
        from train.reports.frames import frame_sheet

        dataset = open_dataset(options.dataset, options.root, options.split, size=(640, 360))
        sheet = encode_picture(".png", frame_sheet(runs, dataset, options.frames))
        caption = f"Frames of {options.dataset}/{options.split}: frame, truth, then every network."
        page.sections.append(Section("The same frames", pictures=[Picture(caption, sheet)]))
    written = page.write(options.out)
    print(f"written: {', '.join(map(str, written))}")
    return EXIT_DONE


def make_page(title: str, runs: list[Run]) -> Page:
    """Everything but the frames.

    Raises:
        DataError: runs of different classes, which no table can hold.
    """
    scored = [r for r in runs if r.scores]
    for other in scored[1:]:
        if other.class_names != scored[0].class_names:
            raise DataError(
                f"runs {scored[0].name} and {other.name} score different classes: compare them "
                "in two reports"
            )
    page = Page(title)
    page.sections.append(Section("Results", table(runs), [*notes(runs), *hardware(runs)]))
    if scored:
        bars = Picture("IoU by class, points.", class_bars(scored))
        page.sections.append(Section("IoU by class", class_table(scored), pictures=[bars]))
    page.sections.append(Section("Curves", pictures=[Picture("By epoch.", curves(runs))]))
    if scored:
        caption = "Rows: truth; columns: prediction; per cent of the row."
        matrices = Picture(caption, confusion_matrices(scored))
        page.sections.append(Section("Confusion matrices", pictures=[matrices]))
    return page
