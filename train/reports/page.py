"""A report as one HTML file that loads nothing, and as Markdown with its pictures beside it."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roadmask.system.files import write_bytes, write_text

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c1c1e; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; } td, th { padding: .15rem .6rem;
  text-align: right; white-space: nowrap; }
td:first-child, th:first-child { text-align: left; } th { border-bottom: 1px solid #999; }
figure { margin: 1rem 0; background: #fff; } figure img, figure svg { max-width: 100%;
  height: auto; } figcaption { color: #555; font-size: .85rem; }
"""


@dataclass(frozen=True)
class Picture:
    """A figure: SVG text or the bytes of a PNG."""

    caption: str
    content: str | bytes

    @property
    def suffix(self) -> str:
        """Of the file that holds it."""
        return ".svg" if isinstance(self.content, str) else ".png"


@dataclass
class Section:
    """A heading with a table, sentences and a picture, each of which may be missing."""

    title: str
    rows: Sequence[Sequence[str]] = ()
    sentences: Sequence[str] = ()
    picture: Picture | None = None


@dataclass
class Page:
    """A report that is written as HTML and as Markdown."""

    title: str
    sections: list[Section] = field(default_factory=list)

    def write(self, path: Path) -> list[Path]:
        """Write ``path`` (HTML), the ``.md`` beside it and its pictures; what was written."""
        written = [path, path.with_suffix(".md")]
        write_text(path, self.to_html())
        names = {}
        for number, section in enumerate(self.sections):
            if section.picture is not None:
                picture = path.with_name(f"{path.stem}-{number}{section.picture.suffix}")
                content = section.picture.content
                if isinstance(content, str):
                    write_text(picture, content)
                else:
                    write_bytes(picture, content)
                names[number] = picture.name
                written.append(picture)
        write_text(written[1], self.to_markdown(names))
        return written

    def to_html(self) -> str:
        """One file; pictures are inside."""
        body = "\n".join(_html_section(section) for section in self.sections)
        title = html.escape(self.title)
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f"<style>{_STYLE}</style></head><body>\n<h1>{title}</h1>\n{body}\n</body></html>\n"
        )

    def to_markdown(self, pictures: dict[int, str]) -> str:
        """Tables and sentences; ``pictures`` are the files' names by number of the section."""
        parts = [f"# {self.title}"]
        for number, section in enumerate(self.sections):
            parts.append(f"## {section.title}")
            if section.rows:
                parts.append(markdown_table(section.rows))
            if section.sentences:
                parts.append("\n".join(f"- {sentence}" for sentence in section.sentences))
            if section.picture is not None:
                parts.append(f"![{section.picture.caption}]({pictures[number]})")
        return "\n\n".join(parts) + "\n"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the title; all columns but the first are numbers, to the right."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    rule = [":--", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def _html_section(section: Section) -> str:
    parts = [f"<h2>{html.escape(section.title)}</h2>"]
    if section.rows:
        head, *body = section.rows
        lines = ["<tr>" + "".join(f"<th>{html.escape(c)}</th>" for c in head) + "</tr>"]
        lines += ["<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in r) + "</tr>" for r in body]
        parts.append(f'<div class="wide"><table>{"".join(lines)}</table></div>')
    if section.sentences:
        items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in section.sentences)
        parts.append(f"<ul>{items}</ul>")
    if section.picture is not None:
        parts.append(_html_picture(section.picture))
    return "\n".join(parts)


def _html_picture(picture: Picture) -> str:
    caption = html.escape(picture.caption)
    if isinstance(picture.content, str):
        inside = picture.content
    else:
        data = base64.b64encode(picture.content).decode()
        inside = f'<img src="data:image/png;base64,{data}" alt="{caption}">'
    return f"<figure>{inside}<figcaption>{caption}</figcaption></figure>"
