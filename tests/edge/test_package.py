"""Dependencies point one way, and what is light stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import roadmask

EDGE = Path(roadmask.__file__).parent
DESKTOP = {"train", "convert", "benchmarks", "tensorflow", "keras", "albumentations"}


@pytest.mark.parametrize(
    "module", ["roadmask", "roadmask.stream.subscribe.subscriber", "roadmask.stream.protocol"]
)
def test_a_subscriber_loads_neither_opencv_nor_litert_nor_keras(module: str) -> None:
    code = f"import {module}, sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in result.stdout.split()}
    assert not loaded & (DESKTOP | {"cv2", "ai_edge_litert"})


def test_what_comes_before_the_networks_process_loads_no_numpy() -> None:
    """It is started before all that takes time, so that it imports beside the daemon."""
    code = (
        "import sys; from roadmask.cli.main import parser; parser('run'); "
        "import roadmask.inference.worker_process; print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())
    assert "roadmask.daemon.config" in loaded
    assert not loaded & {"numpy", "cv2", "roadmask.inference.engine"}


def test_the_public_names_resolve() -> None:
    for name in roadmask.__all__:
        assert getattr(roadmask, name)


def test_the_shipped_package_imports_nothing_of_the_desktop_stages() -> None:
    for path in EDGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert not {n.split(".")[0] for n in names} & DESKTOP, f"{path}: {names}"


def test_categories_and_errors_are_public_and_the_version_is_the_packages() -> None:
    from importlib.metadata import version

    from roadmask.labels.label_set import CATEGORY_NAMES

    assert [c.name.lower() for c in roadmask.Category] == list(CATEGORY_NAMES)
    assert issubclass(roadmask.ProtocolError, roadmask.RoadmaskError)
    assert roadmask.__version__ == version("roadmask")


def test_the_list_of_commands_loads_none_of_them() -> None:
    script = (
        "import sys; from roadmask.cli.main import main; main(['--help']); "
        "print([m for m in sys.modules if m.startswith('roadmask.')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    loaded = done.stdout.splitlines()[-1]
    assert "roadmask.cli.main" in loaded
    for name in ("_native", "system.settings", "cli.run", "cli.bridge", "stream"):
        assert f"'roadmask.{name}'" not in loaded
