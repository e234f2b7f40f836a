"""Every word that the pages say, as it stands in their files: what a catalogue must hold."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

from roadmask.labels.label_set import CATEGORY_NAMES
from roadmask.web.live.reasons import REASON_TEXT
from roadmask.web.routes.pages import STATIC

_SPOKEN = ("aria-label", "placeholder", "title", "alt")
_CALLS = re.compile(r'\bt\("((?:[^"\\]|\\.)*)"')
# Tables whose rows begin with a word that is translated where the table is drawn.
_ROWS = re.compile(r'^\s*(?:const totals = )?\[+"([A-Z][^"]*)", (?:\(|"[a-z_]+"\])', re.MULTILINE)
_MORE = re.compile(r'(?<=\[)"([A-Z][^"]*)", "[a-z_]+"(?=\])')
_PAGES = re.compile(r'^\s*\["/[^"]*", "([^"]+)"\],$', re.MULTILINE)
_SOURCES = ("replay", "synthetic", "file")  # of a stream that is not live
# The same everywhere: names, units, commands, marks.
SAME = re.compile(
    r"[^A-Za-z]*|roadmask( .*)?|curl.*|[A-Z]|PNG|JSON|CSV|HTML|API|SHA-256|mIoU|iIoU|Dice"
    r"|openapi\.json|Python|JavaScript|OK|DEGRADED|STALE, FAULT|[¼\d]+ ×|[NaN–]|cURL|CONNECTING"
)


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skipped += tag in ("script", "style", "pre")
        self.found |= {value for name, value in attrs if name in _SPOKEN and value}

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag in ("script", "style", "pre")

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and not self._skipped:
            self.found |= set(text.split(" · ")) if self.lasttag == "title" else {text}


def all_words() -> set[str]:
    """What must be in a catalogue."""
    words = {*CATEGORY_NAMES, *REASON_TEXT.values(), *_SOURCES}
    for path in STATIC.glob("*.html"):
        parser = _Texts()
        parser.feed(path.read_text(encoding="utf-8"))
        if path.name != "docs.html":
            words |= parser.found
    for path in STATIC.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for pattern in (_CALLS, _ROWS, _MORE, _PAGES):
            words |= {json.loads(f'"{found}"') for found in pattern.findall(text)}
    return {word for word in words if not SAME.fullmatch(word)}


def catalogue(language: str) -> dict[str, str]:
    """What ``languages/LANGUAGE.js`` holds."""
    text = (STATIC / "languages" / f"{language}.js").read_text(encoding="utf-8")
    entries = re.findall(r'^  ("(?:[^"\\]|\\.)*"):\s+("(?:[^"\\]|\\.)*"),$', text, re.MULTILINE)
    return {json.loads(word): json.loads(said) for word, said in entries}


if __name__ == "__main__":
    print(json.dumps(sorted(all_words()), indent=0, ensure_ascii=False))
    Path()
