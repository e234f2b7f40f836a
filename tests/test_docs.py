"""Text for people: lines that a terminal shows whole, changes in groups, links that lead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
GROUPS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
COLUMNS = 100


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Lines by number, without code blocks and tables."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*(```|~~~)", line):
            inside = not inside
        elif not inside and not line.lstrip().startswith("|"):
            yield number, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_line_is_longer_than_a_hundred_columns(page: Path) -> None:
    long = [
        f"{page.name}:{number}: {len(line)} columns"
        for number, line in prose(page.read_text())
        # A link or a path alone in its line cannot be cut.
        if len(line) > COLUMNS and " " in line.strip().partition(" ")[2]
    ]
    assert not long


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    dead = []
    for _, line in prose(page.read_text()):
        for target in re.findall(r"\]\(([^)\s]+)\)", line):
            path, _, anchor = target.partition("#")
            if re.match(r"[a-z]+:", path):
                continue
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
                dead.append(target)
    assert not dead


def test_every_test_that_is_named_exists() -> None:
    """In a page or a comment: a proof that is not there is none."""
    named = [*PAGES, ROOT / "Makefile"]
    named += [path for path in ROOT.glob("tests/**/*.[cp]*") if path.suffix in (".cpp", ".py")]
    named += [path for path in ROOT.glob("edge/**/*.[chp]*") if path.suffix in (".cpp", ".hpp")]
    named += ROOT.glob("edge/**/*.py")
    paths = {str(path.relative_to(ROOT)) for path in ROOT.glob("tests/**/*") if path.is_file()}
    names = {path.rpartition("/")[2] for path in paths}
    pattern = r"tests/[\w/.]+\.(?:py|cpp|pml|tsv|hpp)\b|(?<![\w/])test_[a-z0-9_]+\.py\b"
    missing = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in named
        for name in re.findall(pattern, page.read_text())
        if name not in (paths if "/" in name else names)
    ]
    assert not missing


def anchors(text: str) -> set[str]:
    """Of the headings, as the forge and the site make them."""
    titles = [line.lstrip("#").strip() for _, line in prose(text) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_changes_stand_in_groups() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.split(r"^## .*\n", text, flags=re.MULTILINE)[1:]
    assert versions
    for version in versions:
        before, *groups = re.split(r"^### (.*)\n", version, flags=re.MULTILINE)
        assert not re.search(r"^- ", before, re.MULTILINE), "a change without a group"
        names = groups[::2]
        assert names == [name for name in GROUPS if name in names]


def test_the_change_log_knows_this_version() -> None:
    version = (ROOT / "edge/cpp/include/roadmask/version.h").read_text()
    number = ".".join(re.findall(r"VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", version))
    assert re.search(rf"^## {re.escape(number)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)
