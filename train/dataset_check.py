"""``python -m train prepare``: is this data set whole, and what is in it?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from roadmask.data.datasets import Dataset, open_dataset
from roadmask.errors import DataError
from roadmask.labels.label_set import CATEGORY_COUNT, CATEGORY_NAMES, VOID
from roadmask.storage.address import location
from roadmask.system.command_line import EXIT_DONE, EXIT_UNUSABLE, Parser, complain
from roadmask.system.files import check_writable, write_json
from roadmask.system.progress import add_progress, track, use_progress
from roadmask.system.ranges import at_least

_RARE = 0.001  # share of the pixels, under which a category is named


def make_parser() -> argparse.ArgumentParser:
    """Of ``python -m train prepare``."""
    parser = Parser(
        prog="python -m train prepare",
        description="Read every frame of a data set with its mask, count the categories, and name "
        "what is missing or damaged. Exit code 2 where a frame cannot be used.",
        epilog="Example: python -m train prepare --dataset cityscapes --root DIR --json F.json",
    )
    add = parser.add_argument
    add("--dataset", required=True, help="camvid, cityscapes, cityscapes-coarse or town")
    add("--root", type=location, help="the data set's folder")
    add("--splits", default="train,val", metavar="A,B", help="default: train,val")
    add("--truth-labels", metavar="SET", help="of the masks' ids, where not the data set's own")
    add("--count", type=at_least(1), default=200, help="frames of the town; default: 200")
    add("--json", type=Path, metavar="FILE", help="write the report as JSON")
    add("-v", "--verbose", action="store_true", help="show tracebacks")
    add_progress(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    """Check the splits and print what is in them; the exit code."""
    use_progress(options)
    check_writable(options.json)
    report: dict[str, Any] = {"kind": "dataset", "dataset": options.dataset, "splits": {}}
    for split in filter(None, options.splits.split(",")):
        dataset = open_dataset(
            options.dataset,
            options.root,
            split,
            labels=options.truth_labels,
            count=options.count,
        )
        report["splits"][split] = found = check_split(dataset, split)
        print("\n".join(_lines(split, found)), flush=True)
    if options.json:
        write_json(options.json, report)
    damaged = [each for found in report["splits"].values() for each in found["damaged"]]
    if damaged:
        complain(f"{len(damaged)} frames cannot be used, the first: {damaged[0]}")
        return EXIT_UNUSABLE
    return EXIT_DONE


def check_split(dataset: Dataset, split: str) -> dict[str, Any]:
    """Frames, drives, sizes, shares of the categories, and what cannot be read."""
    counts = np.zeros(CATEGORY_COUNT, np.int64)
    sizes: dict[str, int] = {}
    groups: dict[str, int] = {}
    damaged = []
    for index in track(range(len(dataset)), f"looking at {split}"):
        try:
            sample = dataset[index]
        except DataError as error:
            damaged.append(str(error))
            continue
        counts += np.bincount(sample.mask.ravel(), minlength=CATEGORY_COUNT)
        height, width = sample.mask.shape
        sizes[f"{width}x{height}"] = sizes.get(f"{width}x{height}", 0) + 1
        group = dataset.group(index)
        groups[group] = groups.get(group, 0) + 1
    shares = counts / max(1, counts.sum())
    return {
        "frames": len(dataset),
        "groups": groups,
        "sizes": sizes,
        "shares": {name: float(s) for name, s in zip(CATEGORY_NAMES, shares, strict=True)},
        "damaged": damaged,
    }


def _lines(split: str, found: dict[str, Any]) -> list[str]:
    shares = found["shares"]
    listed = ", ".join(f"{name} {100 * share:.1f}" for name, share in shares.items())
    drives = f"{len(found['groups'])} drives or cities"
    lines = [f"{split}: {found['frames']} frames of {drives}, {', '.join(found['sizes'])} px"]
    lines.append(f"  per cent of the pixels: {listed}")
    rare = [n for n, s in shares.items() if s < _RARE and n != CATEGORY_NAMES[VOID]]
    if rare:
        lines.append(f"  hardly there: {', '.join(rare)}")
    lines += [f"  cannot be used: {each}" for each in found["damaged"]]
    return lines
