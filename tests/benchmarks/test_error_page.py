"""The page of one result and of two, as the commands write it."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.paired import frame_iou, paired_interval
from benchmarks.report.plots import truth_shares


def accuracy(model: Path, root: Path, folder: Path) -> tuple[Path, Path]:
    result, page = folder / "a.json", folder / "a.html"
    arguments = ["accuracy", str(model), "--dataset", "camvid", "--root", str(root)]
    assert main([*arguments, "--json", str(result), "--html", str(page)]) == 0
    return result, page


def test_the_pages_of_one_result_and_of_two(
    int8_file: Path, camvid_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, page = accuracy(int8_file, camvid_folder, tmp_path)
    text = page.read_text()
    result = json.loads(first.read_text())
    frames = result["frames"]
    assert text.count('<img src="data:image/png') == min(8, len(frames))
    for title in ("Worst frames", "By road", "What was taken for what", "Objects: human"):
        assert f"<h2>{title}</h2>" in text
    # Everything is inside: a source is data, a link leads within the page.
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", text) and "<script" not in text
    worst = min(frames, key=lambda frame: frame_iou(frame) or 0.0)
    assert worst["id"] in text
    # The frames' sums are the whole: the same IoU comes out.
    hits, union = (np.sum([f[key] for f in frames], axis=0) for key in ("hits", "union"))
    told = [result["iou"][name] for name in result["iou"]]
    for value, h, u in zip(told, hits, union, strict=True):
        assert value is None if u == 0 else value == pytest.approx(h / u)

    second = tmp_path / "b.json"
    other = copy.deepcopy(result)
    for frame in other["frames"]:
        frame["hits"] = [h // 2 for h in frame["hits"]]
    other["miou"] = result["miou"] / 2
    second.write_text(json.dumps(other))
    both = tmp_path / "both.html"
    capsys.readouterr()
    assert main(["compare", str(first), str(second), "--html", str(both)]) == 1
    assert "95 % -" in capsys.readouterr().out
    assert "Frames that differ most" in both.read_text() and "B is worse" in both.read_text()

    del other["frames"]
    second.write_text(json.dumps(other))
    assert main(["compare", str(first), str(second), "--html", str(both)]) == 2
    assert "holds no frames" in capsys.readouterr().err


def test_the_same_frames_for_both_make_a_narrow_interval() -> None:
    # Frames differ by 40 points, the networks by one on every frame.
    def frames(gain: int) -> list[dict[str, object]]:
        return [
            {"id": str(i), "hits": [500 + 400 * (i % 2) + gain], "union": [1000]} for i in range(20)
        ]

    a, b = {"frames": frames(0)}, {"frames": frames(10)}
    low, high = paired_interval(a, b) or (0.0, 0.0)
    assert low == pytest.approx(0.01) and high == pytest.approx(0.01)
    assert paired_interval(a, {"frames": frames(0)[::-1]}) is None
    assert paired_interval(a, {}) is None


def test_a_row_without_truth_is_not_zero() -> None:
    confusion = np.zeros((8, 8), int)
    confusion[1, 1:3] = 3, 1
    shares = truth_shares(confusion.tolist())
    assert shares[0, :2].tolist() == [0.75, 0.25]
    assert np.isnan(shares[1:]).all()
