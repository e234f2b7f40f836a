"""What a picture format cannot hold is an error of one line, and never an empty file."""

from __future__ import annotations

import ast
from pathlib import Path

import cv2
import numpy as np
import pytest

from roadmask.errors import DataError
from roadmask.imaging.encoding import encode_picture
from roadmask.imaging.writing import write_png

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("suffix", "most"), [(".jpg", 65_500), (".png", 1_000_000), (".bmp", 1_000_000)]
)
def test_the_largest_side_of_a_format(
    suffix: str, most: int, capfd: pytest.CaptureFixture[str]
) -> None:
    for shape in ((most, 1, 3), (1, most, 3)):
        image = np.full(shape, 7, np.uint8)
        data = np.frombuffer(encode_picture(suffix, image), np.uint8)
        if most < 1_000_000 or shape[0] == 1:  # OpenCV reads less than it writes
            assert cv2.imdecode(data, cv2.IMREAD_COLOR).shape == shape
    for height, width in ((most + 1, 1), (1, most + 1)):
        with pytest.raises(DataError, match=rf"{width}x{height} px does not fit .* {most} px a"):
            encode_picture(suffix, np.zeros((height, width, 3), np.uint8))
    assert capfd.readouterr().err == "", "OpenCV is not asked for what it cannot"


@pytest.mark.parametrize("shape", [(0, 4), (4, 0, 3)])
def test_a_picture_without_pixels(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="does not fit a PNG: 1 to"):
        encode_picture(".png", np.zeros(shape, np.uint8))


def test_an_encoder_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imencode", lambda *_: (False, ()))
    with pytest.raises(DataError, match="5x4 px cannot be written as JPEG"):
        encode_picture(".jpg", np.zeros((4, 5, 3), np.uint8))


def test_what_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not fit a PNG"):
        write_png(tmp_path / "mask.png", np.zeros((1_000_001, 1), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_encodes() -> None:
    """OpenCV's own functions say by a value alone that they failed."""
    found = []
    for folder in ("edge", "train", "convert", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr in ("imencode", "imwrite"):
                    found.append(path.name)
    assert found == ["encoding.py"]
