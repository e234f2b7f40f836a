"""The one page that training and conversion report on."""

from __future__ import annotations

import re
from pathlib import Path

from train.reports.bars import PLAIN, bars
from train.reports.page import Page, Picture, Section

HOSTILE = "<script>alert('1')</script> & \"x\""
ESCAPED = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &#34;x&#34;"


def hostile_page() -> Page:
    plot = bars([(HOSTILE, 1.0, HOSTILE, PLAIN)])
    section = Section(
        HOSTILE,
        [(HOSTILE, "n"), (HOSTILE, "1")],
        [HOSTILE],
        [Picture(HOSTILE, plot), Picture(HOSTILE, b"\x89PNG")],
        [HOSTILE],
        [(HOSTILE, "rgb(1,2,3)")],
    )
    return Page(HOSTILE, [section], "rejected", HOSTILE, [(HOSTILE, HOSTILE, HOSTILE)])


def test_every_name_is_text_wherever_it_stands() -> None:
    html = hostile_page().to_html()
    assert "<script" not in html and html.count(ESCAPED) >= 14
    assert html.count("<svg") == 1 and "</svg>" in html
    assert html.count('src="data:image/png;base64,iVBOR') == 1
    assert not re.search(r'(src|href)="(https?:)?//', html)


def test_pictures_lie_beside_the_markdown_in_order(tmp_path: Path) -> None:
    page = Page("t", [Section("a", pictures=[Picture("one", "<svg/>"), Picture("two", b"2")])])
    written = page.write(tmp_path / "r.html")
    assert [path.name for path in written] == ["r.html", "r.md", "r-0.svg", "r-1.png"]
    assert "![one](r-0.svg)\n\n![two](r-1.png)" in written[1].read_text()
    assert written[3].read_bytes() == b"2"
