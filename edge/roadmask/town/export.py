"""The town written as a Cityscapes tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2

from roadmask.errors import ConfigError
from roadmask.imaging.encoding import encode_picture
from roadmask.system.files import write_bytes
from roadmask.town.town import Town, TownFrame

_COMPRESSION = [cv2.IMWRITE_PNG_COMPRESSION, 2]
_CITIES = (
    "aldermoor", "brinkstadt", "castelune", "dornfeld", "estwick", "falkenau", "gravenport",
    "hollmark", "iverness", "jorvald", "kaltbruck", "lindhaven", "merrowby", "nordhain",
    "ostervik", "pellworth", "quarrington", "rosental", "steinach", "tarnheim", "ulvesund",
    "varnholt", "westerlo", "yarrowdale",
)  # fmt: skip


def write_cityscapes(
    root: Path,
    *,
    seed: int = 1,
    train: int,
    val: int,
    test: int = 0,
    width: int = 1024,
    height: int = 512,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write frames of many towns in Cityscapes' folder layout.

    Each city is a town of its own seed, no city stands in two splits, and a city's frames are
    spread over a drive of minutes, through all weathers.

    Args:
        root: folder to make; it may exist if it is empty.
        train, val, test: frames of each split.
        progress: called with frames done and frames in all, after each.

    Raises:
        ConfigError: ``root`` holds something, or a count is negative.
    """
    root = Path(root)
    counts = {"train": train, "val": val, "test": test}
    if min(counts.values()) < 0 or sum(counts.values()) == 0:
        raise ConfigError(f"frames {counts}: expected 0 or more each, and at least one in all")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ConfigError(f"folder {root} is not empty: give a new or an empty one")
    done, total = 0, sum(counts.values())
    shares = {"train": _CITIES[:14], "val": _CITIES[14:19], "test": _CITIES[19:]}
    for split, count in counts.items():
        names = shares[split][: max(1, min(len(shares[split]), count // 4))]
        for c, city in enumerate(names):
            n = count // len(names) + (c < count % len(names))
            if n == 0:
                continue
            town = Town(seed * 1000 + 1 + _CITIES.index(city), width, height)
            # At least 1.5 s apart, and never less than five weathers long.
            step = max(47, 3600 // n)
            for k in range(n):
                frame = town.frame(20 + k * step)
                _write_frame(root, split, f"{city}_{c:06d}_{frame.index:06d}", city, frame)
                done += 1
                if progress is not None:
                    progress(done, total)


def _write_frame(root: Path, split: str, name: str, city: str, frame: TownFrame) -> None:
    images = root / "leftImg8bit" / split / city
    truth = root / "gtFine" / split / city
    for path, pixels in (
        (truth / f"{name}_gtFine_labelIds.png", frame.label_ids),
        (truth / f"{name}_gtFine_instanceIds.png", frame.instance_ids),
        (images / f"{name}_leftImg8bit.png", frame.image),  # last: its presence means all is there
    ):
        write_bytes(path, encode_picture(".png", pixels, _COMPRESSION))
