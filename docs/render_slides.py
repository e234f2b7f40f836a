"""Render ``docs/slides.md`` to one HTML file: ``python -m docs.render_slides [--out slides.html]``.

A line ``---`` begins a slide; ``<!-- results -->`` becomes the table over ``train/records``,
``<!-- classes -->`` their IoU by class and ``<!-- ablation NAME -->`` the mIoU of ``NAME.json``, so
that those slides hold what the records hold. Arrow keys turn the pages; printing gives a page a
slide. Pictures are inside the file.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from pathlib import Path

from roadmask.errors import ConfigError
from roadmask.system.command_line import Parser, run_command
from roadmask.system.files import write_text
from train.reports.ablate import recipe_table
from train.reports.page import markdown_table
from train.reports.table import class_table, table
from train.runs.files import read_run

FOLDER = Path(__file__).parent
RECORDS = FOLDER.parent / "train" / "records"
MOST_SLIDES = 30
_SHOWN = (
    *("run", "epochs", "accuracy", "Dice", "mIoU", "parameters, M", "GMAC", "training, CPU-h"),
    *("INT8 p50, ms", "INT8 drop, points"),
)

_STYLE = """
* { box-sizing: border-box; } html { scroll-snap-type: y mandatory; }
body { margin: 0; font: 1.5vw/1.45 system-ui, sans-serif; color: #1c1c1e; background: #ddd; }
section { width: 100%; min-height: 100vh; padding: 5vh 7vw; background: #fff; margin-bottom: 2px;
  scroll-snap-align: start; position: relative; }
section::after { content: attr(data-number); position: absolute; right: 2vw; bottom: 2vh;
  color: #888; font-size: 1vw; }
h1 { font-size: 3.4vw; } h2 { font-size: 2.4vw; border-bottom: .2vw solid #804080; }
table { border-collapse: collapse; font-size: 1.25vw; } td, th { padding: .2vw .8vw; }
th { border-bottom: 1px solid #999; } code, pre { font-size: 1.25vw; background: #f3f3f5; }
pre { padding: 1vw; overflow-x: auto; } img { max-width: 100%; max-height: 60vh; }
@media print { @page { size: 297mm 167mm; margin: 0; } section { break-after: page;
  height: 167mm; width: 297mm; } body { font-size: 15px; } }
"""
_SCRIPT = """
addEventListener('keydown', event => {
  const step = {ArrowRight: 1, PageDown: 1, ' ': 1, ArrowLeft: -1, PageUp: -1}[event.key];
  if (!step) return;
  event.preventDefault();
  const slides = [...document.querySelectorAll('section')];
  const here = slides.findIndex(slide => slide.getBoundingClientRect().bottom > 10);
  slides[Math.min(slides.length - 1, Math.max(0, here + step))].scrollIntoView();
});
"""


def split_slides(text: str) -> list[str]:
    """The Markdown of every slide.

    Raises:
        ConfigError: more slides than anyone sits through.
    """
    slides = [part.strip() for part in re.split(r"^---$", text, flags=re.M) if part.strip()]
    if len(slides) > MOST_SLIDES:
        raise ConfigError(f"{len(slides)} slides: expected {MOST_SLIDES} or fewer")
    return slides


def fill_in(text: str, records: Path) -> str:
    """The text with the tables of the records where they are asked for."""
    folders = sorted(path.parent for path in records.glob("*/run.json"))
    runs = [run for run in map(read_run, folders) if run.scores]
    runs.sort(key=lambda run: -run.scores["miou"])
    results = classes = "*No record in `train/records` yet.*"
    if runs:
        rows = table(runs)
        kept = [place for place, title in enumerate(rows[0]) if title in _SHOWN]
        results = markdown_table([[row[place] for place in kept] for row in rows])
        classes = markdown_table(class_table(runs))
    text = re.sub(r"<!-- ablation (\S+) -->", lambda match: _recipes(records / match[1]), text)
    return text.replace("<!-- results -->", results).replace("<!-- classes -->", classes)


def _recipes(record: Path) -> str:
    result = json.loads(record.with_suffix(".json").read_text(encoding="utf-8"))
    return markdown_table([row[:3] for row in recipe_table(result)])


def render(text: str, folder: Path = FOLDER) -> str:
    """Markdown of all slides → one HTML page; pictures are read from ``folder``.

    Raises:
        ConfigError: markdown-it-py is not installed, or a picture is missing.
    """
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise ConfigError("slides need markdown-it-py: pip install --group docs") from error
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    sections = [
        f'<section data-number="{number}">{reader.render(slide)}</section>'
        for number, slide in enumerate(split_slides(text), 1)
    ]

    def embed(match: re.Match[str]) -> str:
        picture = folder / match[1]
        if not picture.is_file():
            raise ConfigError(f"picture {picture} is missing: it is on a slide")
        data = base64.b64encode(picture.read_bytes()).decode()
        return f'src="data:image/{picture.suffix[1:]};base64,{data}"'

    body = re.sub(r'src="([^":]+)"', embed, "\n".join(sections))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>roadmask</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n<script>{_SCRIPT}</script></body></html>\n"
    )


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = Parser(prog="python -m docs.render_slides", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER / "slides.html")
    options = parser.parse_args(arguments)

    def body() -> int:
        text = (FOLDER / "slides.md").read_text(encoding="utf-8")
        write_text(options.out, render(fill_in(text, RECORDS)))
        print(f"written: {options.out}")
        return 0

    return run_command(body, verbose=False)


if __name__ == "__main__":
    sys.exit(main())
