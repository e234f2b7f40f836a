"""A report as one HTML file that loads nothing, and as Markdown with its pictures beside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from roadmask.system.files import write_bytes, write_text

_TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class Picture:
    """A figure: SVG text or the bytes of a PNG."""

    caption: str
    content: str | bytes

    @property
    def is_svg(self) -> bool:
        """Whether the content is SVG text, of our own plots."""
        return isinstance(self.content, str)

    @property
    def suffix(self) -> str:
        """Of the file that holds it."""
        return ".svg" if self.is_svg else ".png"

    @property
    def data_uri(self) -> str:
        """The content as an address that holds it."""
        data = self.content.encode() if isinstance(self.content, str) else self.content
        kind = "svg+xml" if self.is_svg else "png"
        return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@dataclass
class Section:
    """A heading with what stands under it, in this order; each may be missing.

    Attributes:
        title: the heading.
        rows: of a table; the first is its title row.
        sentences: of a list.
        pictures: figures.
        notes: paragraphs above all of it.
        colours: what stands for what in the pictures: name and CSS colour.
    """

    title: str
    rows: Sequence[Sequence[str]] = ()
    sentences: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    notes: Sequence[str] = ()
    colours: Sequence[tuple[str, str]] = ()


@dataclass
class Page:
    """A report that is written as HTML and as Markdown.

    Attributes:
        title: of all of it.
        sections: in order.
        verdict: ``accepted`` or ``rejected``, where it judges something.
        reason: of the verdict.
        tiles: what matters most: title, value, note.
    """

    title: str
    sections: list[Section] = field(default_factory=list)
    verdict: str = ""
    reason: str = ""
    tiles: Sequence[tuple[str, str, str]] = ()

    def write(self, path: Path) -> list[Path]:
        """Write ``path`` (HTML), the ``.md`` beside it and its pictures; what was written."""
        written = [path, path.with_suffix(".md")]
        write_text(path, self.to_html())
        names = []
        for number, shown in enumerate(self._pictures()):
            picture = path.with_name(f"{path.stem}-{number}{shown.suffix}")
            content = shown.content
            write_bytes(picture, content.encode() if isinstance(content, str) else content)
            names.append(picture.name)
            written.append(picture)
        write_text(written[1], self.to_markdown(names))
        return written

    def to_html(self) -> str:
        """One file; pictures are inside, and everything else is escaped."""
        from jinja2 import Environment, PackageLoader

        loader = PackageLoader("train.reports", package_path=".")
        template = Environment(loader=loader, autoescape=True).get_template(_TEMPLATE)
        return template.render(page=self) + "\n"

    def _pictures(self) -> list[Picture]:
        return [picture for section in self.sections for picture in section.pictures]

    def to_markdown(self, pictures: Sequence[str]) -> str:
        """Tables and sentences; ``pictures`` are the names of the files, in order."""
        parts, files = [f"# {self.title}"], iter(pictures)
        for section in self.sections:
            parts += [f"## {section.title}", *section.notes]
            if section.rows:
                parts.append(markdown_table(section.rows))
            if section.sentences:
                parts.append("\n".join(f"- {sentence}" for sentence in section.sentences))
            parts += [f"![{picture.caption}]({next(files)})" for picture in section.pictures]
        return "\n\n".join(parts) + "\n"


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the title; all columns but the first are numbers, to the right."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    rule = [":--", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))
