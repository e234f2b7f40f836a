"""What the wheel offers, where its version stands, and which names stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import roadmask
from roadmask.system.toml import read_toml

ROOT = Path(__file__).parents[1]
PYPROJECT = read_toml(ROOT / "pyproject.toml")
EXTRAS = set(PYPROJECT["project"]["optional-dependencies"])
GROUPS = PYPROJECT["dependency-groups"]


def texts() -> Iterator[tuple[Path, str]]:
    """Every file that may tell somebody what to install."""
    folders = ("docs", "edge", "train", "convert", "benchmarks", "packages", "tests")
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.*"))]
    for path in [*sorted(ROOT.glob("*.md")), ROOT / "Makefile", ROOT / "Containerfile", *paths]:
        if path.suffix in (".py", ".md", ".ipynb", ".toml", ""):
            yield path, path.read_text(encoding="utf-8")


def test_the_version_stands_in_one_place() -> None:
    """``version.h``; test_c_interface.py compares it with the package's and the library's."""
    project = PYPROJECT["project"]
    assert "version" not in project and project["dynamic"] == ["version"]
    settings = PYPROJECT["tool"]["scikit-build"]["metadata"]["version"]
    text = (ROOT / settings["input"]).read_text()
    found = re.search(settings["regex"], text)
    assert found is not None
    assert settings["result"].format(**found.groupdict()) == roadmask.__version__
    assert "project(roadmask VERSION ${" in (ROOT / "CMakeLists.txt").read_text()
    header = (ROOT / "edge" / "cpp" / "include" / "roadmask.h").read_text()
    assert roadmask.__version__ not in text + header


def test_the_wheel_offers_no_extra_whose_code_it_does_not_hold() -> None:
    assert {"record", "models", "metrics", "foxglove", "zenoh", "ros2", "cloud", "web"} == EXTRAS
    assert {"train", "benchmarks", "test", "docs", "peers"} <= set(GROUPS)
    assert not EXTRAS & set(GROUPS)
    included = [part["include-group"] for g in GROUPS.values() for part in g if type(part) is dict]
    assert included and set(included) <= set(GROUPS)


def test_who_says_what_to_install_names_what_there_is() -> None:
    named = {"extra": 0, "group": 0}
    for path, text in texts():
        for extras in re.findall(r"'(?:roadmask|\.)\[([\w,]+)\]'", text):
            named["extra"] += 1
            assert set(extras.split(",")) <= EXTRAS, path
        for group in re.findall(r"--group (\w+)", text):
            named["group"] += 1
            assert group in GROUPS, path
    assert min(named.values()) >= 5


@pytest.mark.parametrize("name", roadmask.__all__)
def test_the_public_names_are_those_of_the_docs(name: str) -> None:
    text = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
    public = text.split("## What is public")[1].split("\n## ")[0]
    assert f"`{name}`" in public
    assert getattr(roadmask, name)
