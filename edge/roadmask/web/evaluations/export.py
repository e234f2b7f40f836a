"""An evaluation as files: JSON to read back, CSV for tables, HTML for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from html import escape

from roadmask.evaluation.split_scores import NAMES
from roadmask.labels.label_set import CATEGORY_NAMES
from roadmask.web.evaluations.schemas import Evaluation, Interval, NetworkScores

_WORST = 50  # frames of the HTML page
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 24px auto; max-width: 1100px; padding: 0 12px;
  color: #15202b; background: #fff; }}
table {{ border-collapse: collapse; margin: 0 0 24px; }}
th, td {{ padding: 3px 12px 3px 0; text-align: right; border-top: 1px solid #c3ccd5; }}
th:first-child, td:first-child {{ text-align: left; }}
</style></head><body><h1>{title}</h1>
{body}</body></html>
"""


def as_json(evaluation: Evaluation) -> bytes:
    """Every number, to the last digit."""
    return evaluation.model_dump_json(indent=1).encode()


def as_csv(evaluation: Evaluation) -> bytes:
    """A line for each frame and network."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "group", "model", "miou", "pixel_accuracy", *NAMES, "agreement"])
    for network in evaluation.networks:
        for index, frame in enumerate(network.frames):
            alike = "" if evaluation.agreement is None else evaluation.agreement[index]
            numbers = (frame.miou, frame.pixel_accuracy, *(frame.iou[name] for name in NAMES))
            names = map(_plain, (frame.id, frame.group, network.model))
            writer.writerow([*names, *("" if n is None else n for n in numbers), alike])
    return text.getvalue().encode()


def as_html(evaluation: Evaluation) -> bytes:
    """Totals, categories, drives, confusion and the worst frames, in one file of its own."""
    title = f"{evaluation.dataset} {evaluation.split}, {evaluation.when}"
    networks = evaluation.networks
    parts = [
        _table(
            ("", *(network.model for network in networks)),
            (
                ("mean IoU", *(_with(n.miou, n.interval) for n in networks)),
                ("mean Dice", *(_percent(n.dice) for n in networks)),
                ("mean iIoU", *(_percent(n.iiou) for n in networks)),
                ("pixel accuracy", *(_percent(n.pixel_accuracy) for n in networks)),
                ("frames", *(str(n.images) for n in networks)),
                *(
                    (
                        name,
                        *(_with(n.categories[i].iou, n.categories[i].interval) for n in networks),
                    )
                    for i, name in enumerate(NAMES)
                ),
            ),
        )
    ]
    for network in networks:
        parts += [f"<h2>{escape(network.model)}</h2>", *_of(network)]
    return _PAGE.format(title=escape(title), body="\n".join(parts)).encode()


def _of(network: NetworkScores) -> Iterable[str]:
    yield _table(
        ("drive", "frames", "mean IoU", *NAMES),
        (
            (g.group, str(g.images), _with(g.miou, g.interval), *map(_percent, g.iou.values()))
            for g in network.groups
        ),
    )
    yield _table(
        ("truth \\ predicted, % of the row", *CATEGORY_NAMES),
        (
            (name, *(_percent(n / sum(row)) if sum(row) else "–" for n in row))
            for name, row in zip(NAMES, network.confusion[1:], strict=True)
        ),
    )
    if network.confidence is not None:
        yield _table(
            (f"confidence, % (error {_percent(network.confidence.ece)})", "right, %", "pixels, %"),
            (
                (_percent(b.confidence), _percent(b.accuracy), _percent(b.share))
                for b in network.confidence.bins
            ),
        )
    worst = sorted(network.frames, key=lambda frame: 2.0 if frame.miou is None else frame.miou)
    yield _table(
        (f"the {min(_WORST, len(worst))} worst frames", "mean IoU", "pixel accuracy", *NAMES),
        (
            (f.id, _percent(f.miou), _percent(f.pixel_accuracy), *map(_percent, f.iou.values()))
            for f in worst[:_WORST]
        ),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>\n" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table>"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"


def _with(value: float | None, interval: Interval) -> str:
    low, high = interval
    around = "" if low is None or high is None else f" ({100 * low:.1f} to {100 * high:.1f})"
    return _percent(value) + around


def _plain(text: str) -> str:
    """A spreadsheet takes a cell that begins like this for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
