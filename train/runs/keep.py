"""``python -m train record``: the small files of a run that documents may quote, for committing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from roadmask.errors import DataError
from roadmask.system.command_line import EXIT_DONE, Parser
from roadmask.system.files import write_bytes, write_json
from train.runs.files import CONVERSION, RECORD_FILES, Run, read_run


def make_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = Parser(
        prog="python -m train record",
        description="Copy run.json, history.csv and scores.json of a run, and what its conversion "
        "measured in short, to a folder that can be committed. They hold no path of this machine "
        "and no frame.",
        epilog="Example: python -m train record runs/roadnet --out train/records/roadnet",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="--out folder of a training")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="of the record")
    parser.add_argument(
        "--network", action="store_true", help="the network too, in float16 and compressed"
    )
    parser.add_argument("--convert-json", type=Path, help="where the conversion's .json lies")
    parser.add_argument("-v", "--verbose", action="store_true", help="show tracebacks")
    return parser


def run(options: argparse.Namespace) -> int:
    """Write the record; the exit code.

    Raises:
        DataError: not a run, or a folder that cannot be written.
    """
    found = read_run(options.run, options.convert_json)
    for name in RECORD_FILES:
        if name == "run.json":
            write_json(options.out / name, _without_folders(found.record))
        elif (options.run / name).is_file():
            write_bytes(options.out / name, (options.run / name).read_bytes())
    if options.network:
        _write_network(found, options.out)
    if found.conversion:
        write_json(options.out / CONVERSION, found.conversion)
    print(f"written: {options.out}")
    return EXIT_DONE


def _without_folders(record: dict[str, Any]) -> dict[str, Any]:
    """Settings may name files by paths of this machine, such as those of ``--weights``."""
    config = {
        key: Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
        for key, value in record["config"].items()
    }
    return record | {"config": config}


def _write_network(found: Run, out: Path) -> None:
    if found.network is None:
        raise DataError(f"run {found.folder} holds no finished network: let it train to its end")
    from train.keras_import import import_keras

    import_keras()
    from train.keras_file import load_keras, packed_keras

    write_bytes(out / found.network.name, packed_keras(load_keras(found.network)))
