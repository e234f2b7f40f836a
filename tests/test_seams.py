"""What is built from parts is built from few: no constructor of more than seven arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOTS = ("edge/roadmask", "train", "convert", "benchmarks")
MOST = 7
RECORDS = ("dataclass", "NamedTuple", "Enum", "Flag", "TypedDict", "BaseModel", "Answer")


def classes(folders: list[Path]) -> Iterator[tuple[Path, ast.ClassDef]]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield from ((path, node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def is_record(node: ast.ClassDef) -> bool:
    """A class of plain values, whose constructor Python writes."""
    said = [ast.unparse(part) for part in (*node.decorator_list, *node.bases)]
    return any(name in text for text in said for name in RECORDS)


def arguments(node: ast.ClassDef) -> int:
    """How many a class's own ``__init__`` takes, beside ``self``."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            given = part.args
            return len([*given.posonlyargs, *given.args, *given.kwonlyargs]) - 1
    return 0


def fields(node: ast.ClassDef) -> list[str]:
    """The types of what a record is made with; of a class that is none, nothing."""
    if not is_record(node):
        return []
    given = [part for part in node.body if isinstance(part, ast.AnnAssign)]
    return [ast.unparse(p.annotation) for p in given if "init=False" not in ast.unparse(p)]


def crowded(folders: list[Path]) -> list[str]:
    """Constructors over the limit; a record of plain values may be long, one of parts may not."""
    found = list(classes(folders))
    records = {node.name for _, node in found if is_record(node)}
    parts = {node.name for _, node in found} - records  # of two of a name, the record
    out = []
    for path, node in found:
        types = fields(node)
        names = {name for text in types for name in text.replace("|", " ").split()}
        if max(arguments(node), len(types) if names & parts else 0) > MOST:
            out.append(f"{path.name}: {node.name}")
    return out


def test_no_constructor_takes_more_than_seven() -> None:
    assert crowded([ROOT / root for root in ROOTS]) == []


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    def __init__(self, a, b, c, d, *, e, f, g, h): ...",
        "class Engine: ...\n@dataclass\nclass A:\n    engine: Engine | None\n"
        + "".join(f"    {name}: int\n" for name in "bcdefgh"),
    ],
)
def test_a_crowded_one_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.py").write_text(text)
    assert crowded([tmp_path]) == ["a.py: A"]


def test_a_long_record_of_values_is_none(tmp_path: Path) -> None:
    text = "@dataclass\nclass A:\n" + "".join(f"    {name}: int\n" for name in "abcdefghi")
    (tmp_path / "a.py").write_text(text)
    assert crowded([tmp_path]) == []


def test_no_benchmark_or_test_patches_the_daemon() -> None:
    """``open_pipeline`` takes ready-made parts."""
    for folder in ("benchmarks", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and "setattr" in ast.unparse(node.func):
                    assert "daemon" not in ast.unparse(node), f"{path}:{node.lineno}"
                if isinstance(node, ast.Assign):
                    targets = " ".join(ast.unparse(target) for target in node.targets)
                    assert not targets.startswith(("daemon.", "pipeline.")), f"{path}:{node.lineno}"


def test_no_command_line_takes_any_number() -> None:
    """A number has a ``Range`` (``system/ranges.py``): ``type=int`` is one nobody thought about."""
    found = []
    for root in ROOTS:
        for path in sorted((ROOT / root).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.keyword) and node.arg == "type":
                    plain = ast.unparse(node.value) in ("int", "float")
                    found += [f"{path.name}:{node.value.lineno}"] if plain else []
    assert found == []
