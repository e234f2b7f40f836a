"""Who may import whom: the table of docs/design.md, held at module level and inside functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EDGE = ROOT / "edge" / "roadmask"

# Beside itself, `errors`, `arrays` and `_native`, a folder (with those below it that have no line
# of their own) imports these and nothing else.
ALLOWED = {
    "system": "",
    "storage": "system",
    "labels": "system",
    "stream": "system",
    "imaging": "labels system",
    "town": "imaging labels system",
    "evaluation": "labels system",
    "stream.publish": "stream system",
    "stream.subscribe": "stream system",
    "stream.products": "stream stream.subscribe system",
    "sources": "imaging town system",
    "calibration": "sources stream system",
    "inference": "imaging labels storage system",
    "models_store": "inference storage system",
    "data": "evaluation imaging labels storage system town",
    "interop": "imaging stream stream.subscribe stream.products system",
    "recording": "interop stream stream.publish stream.subscribe system",
    "daemon": "imaging sources calibration inference models_store recording stream stream.publish "
    "labels system",
    "testing": "stream stream.publish system",
    "bridge": "imaging interop stream stream.subscribe system",
    "tools": "inference evaluation imaging labels stream stream.subscribe town system",
    "web": "data evaluation imaging inference labels recording storage stream stream.subscribe "
    "system",
    "cli": "system storage labels stream imaging town evaluation stream.publish stream.subscribe "
    "sources inference data models_store daemon recording bridge tools web testing "
    "calibration interop",
}
FREE = {"errors", "arrays", "_native", "__version__"}
DESKTOP = {
    "train": {"roadmask"},
    "benchmarks": {"roadmask", "train"},
    "convert": {"roadmask", "train", "benchmarks"},
}


def imports(path: Path) -> Iterator[str]:
    """Every dotted name that a file imports, ``from a import b`` as ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(dotted: str) -> str:
    """The line of the table that a name below ``roadmask`` belongs to, else its first part."""
    parts = dotted.split(".")
    ends = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in ends if name in ALLOWED), parts[0])


def trespasses(package: Path) -> list[str]:
    """What imports where it may not, as ``file: name``."""
    found = []
    for path in sorted(package.rglob("*.py")):
        own = room(".".join(path.relative_to(package).parent.parts))
        if own not in ALLOWED:  # the package's own __init__ and __main__: lazy names, the command
            continue
        for name in imports(path):
            if not name.startswith("roadmask."):
                continue
            target = room(name.removeprefix("roadmask."))
            if target not in {own, *ALLOWED[own].split(), *FREE}:
                found.append(f"{path.relative_to(package)}: {name}")
    return found


def test_each_folder_imports_what_its_line_allows() -> None:
    assert trespasses(EDGE) == []


@pytest.mark.parametrize("line", ["from roadmask.web import app", "import roadmask.daemon.config"])
@pytest.mark.parametrize("indent", ["", "def f():\n    "])
def test_an_import_the_wrong_way_is_found(tmp_path: Path, line: str, indent: str) -> None:
    (tmp_path / "stream" / "subscribe").mkdir(parents=True)
    (tmp_path / "stream" / "subscribe" / "reader.py").write_text(f"{indent}{line}\n")
    assert len(trespasses(tmp_path)) == 1


def test_the_table_has_no_circle_and_no_folder_missing() -> None:
    known: set[str] = set()
    for name, allowed in ALLOWED.items():  # in an order in which each stands on those before
        assert set(allowed.split()) <= known, name
        known.add(name)
    folders = {room(".".join(p.parent.relative_to(EDGE).parts)) for p in EDGE.rglob("*.py")}
    assert folders - {""} == set(ALLOWED)


def test_the_design_shows_the_same_table() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    shown = {}
    for line in text.split("| folder of `edge/roadmask` | may import |")[1].splitlines()[2:]:
        if not line.startswith("|"):
            break
        name, allowed = (cell.strip().replace("`", "") for cell in line.strip("|").split("|"))
        shown[name] = set(allowed.replace(",", "").split())
    assert shown == {name: set(allowed.split()) for name, allowed in ALLOWED.items()}


def test_the_desktop_stages_import_one_way() -> None:
    stages = set(DESKTOP) | {"tests"}
    for stage, allowed in DESKTOP.items():
        for path in (ROOT / stage).rglob("*.py"):
            used = {name.split(".")[0] for name in imports(path)} & stages
            assert used <= allowed | {stage}, f"{path}: {used}"


def test_few_modules_lie_beside_the_folders() -> None:
    assert len(list(EDGE.glob("*.py"))) <= 8
