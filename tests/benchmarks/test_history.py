from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from convert.judge.history import LOCAL, add_to_history, last_accuracy, last_latency, read_history
from roadmask.errors import DataError


def _entry(digest: str, miou: float, images: int = 9, device: str = "board") -> dict[str, Any]:
    return {
        "model_digest": digest,
        "accuracy": {"dataset": "town", "split": "val", "images": images, "miou": miou},
        "latency": {"device": device, "threads": 1, "source": "s", "fps": miou},
    }


def test_the_newest_entry_of_the_same_frames_counts(tmp_path: Path) -> None:
    assert read_history(tmp_path, "net") == []
    for entry in (_entry("a", 0.7), _entry("b", 0.8), _entry("c", 0.9, images=5, device="other")):
        add_to_history(tmp_path, "net", entry)
    entries = read_history(tmp_path, "net")
    frames = {"dataset": "town", "split": "val", "images": 9}
    assert (last_accuracy(entries, frames) or {})["miou"] == 0.8
    assert last_accuracy(entries, frames | {"split": "test"}) is None
    # Times are this machine's own: they lie apart.
    assert all("latency" not in entry for entry in entries)
    times = read_history(tmp_path / LOCAL, "net")
    assert (last_latency(times, "board", 1, "s") or {})["fps"] == 0.8
    assert last_latency(times, "board", 2, "s") is None
    # The same file again moves to the end and is there once.
    add_to_history(tmp_path, "net", _entry("a", 0.7))
    assert [e["model_digest"] for e in read_history(tmp_path, "net")] == ["b", "c", "a"]


@pytest.mark.parametrize("text", ["{", "{}", '[{"accuracy": 1}]', "[1]"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(DataError, match=r"net\.json"):
        read_history(tmp_path, "net")
