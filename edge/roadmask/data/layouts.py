"""Pair images with masks in the folder layouts of CamVid and Cityscapes; name what does not fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from roadmask.errors import DataError
from roadmask.imaging.reading import picture_files, visible
from roadmask.system.files import is_text

_FRAME_NAME = re.compile(r"[A-Za-z-]+_\d+_\d+")


@dataclass(frozen=True)
class Files:
    """The files of one frame; ``instances`` is None where the data set does not tell objects."""

    image: Path
    mask: Path
    instances: Path | None = None


def find_camvid(root: Path, split: str) -> dict[str, Files]:
    """``SPLIT/*`` with ``SPLITannot/*.png``, by frame id.

    Raises:
        DataError: a folder is missing, an image lacks its mask, a mask its image, or a name is no
            text.
    """
    images, masks = root / split, root / f"{split}annot"
    for folder in (images, masks):
        if not folder.is_dir():
            raise DataError(
                f"CamVid split {split!r}: folder {folder} is missing (expected {split}/ with the "
                f"frames and {split}annot/ with their masks)"
            )
    files: dict[str, Files] = {}
    for image in picture_files(images):
        if not is_text(image.name):  # it is the frame's name in tables, JSON and addresses
            raise DataError(f"image {image} has a name that is not UTF-8: rename it and its mask")
        if image.stem in files:
            raise DataError(f"frame {image} is there twice: also as {files[image.stem].image.name}")
        mask = masks / f"{image.stem}.png"
        if not mask.is_file():
            raise DataError(f"frame {image} has no mask: expected {mask}")
        files[image.stem] = Files(image, mask)
    if not files:
        raise DataError(f"CamVid split {split!r}: {images} holds no image")
    for mask in visible(masks.glob("*.png")):
        if mask.stem not in files:
            raise DataError(f"mask {mask} has no frame: expected {images / mask.stem}.*")
    return files


def find_cityscapes(root: Path, split: str, *, coarse: bool = False) -> dict[str, Files]:
    """``leftImg8bit/SPLIT/CITY/`` with ``gtFine`` or ``gtCoarse``, by frame id.

    Raises:
        DataError: a folder or one of a frame's files is missing, or a file bears an odd name.
    """
    images, fine, rough = (root / f / split for f in ("leftImg8bit", "gtFine", "gtCoarse"))
    truth = rough if coarse or (rough.is_dir() and not fine.is_dir()) else fine
    for folder in (images, truth):
        if not folder.is_dir():
            raise DataError(
                f"Cityscapes split {split!r}: folder {folder} is missing (expected "
                f"leftImg8bit/{split}/CITY/ and {truth.parent.name}/{split}/CITY/ under {root})"
            )
    kind = truth.parent.name
    files: dict[str, Files] = {}
    for image in _of_cities(images, "*.png"):
        frame_id = image.name.removesuffix("_leftImg8bit.png")
        if not _FRAME_NAME.fullmatch(frame_id):
            raise DataError(
                f"image {image} is not named CITY_SEQUENCE_FRAME_leftImg8bit.png: rename or move it"
            )
        stem = truth / image.parent.name / f"{frame_id}_{kind}"
        mask = Path(f"{stem}_labelIds.png")
        if not mask.is_file():
            raise DataError(f"frame {image} has no mask: expected {mask}")
        files[frame_id] = Files(image, mask, Path(f"{stem}_instanceIds.png"))
    if not files:
        raise DataError(f"Cityscapes split {split!r}: {images} holds no CITY/*_leftImg8bit.png")
    for mask in _of_cities(truth, "*_labelIds.png"):
        frame_id = mask.name.removesuffix(f"_{kind}_labelIds.png")
        if frame_id not in files:
            missing = images / mask.parent.name / f"{frame_id}_leftImg8bit.png"
            raise DataError(f"mask {mask} has no frame: expected {missing}")
    return _with_instances(files)


def _with_instances(files: dict[str, Files]) -> dict[str, Files]:
    """The frames with their instance files, all or none: iIoU over a part would mislead."""
    paths = [f.instances for f in files.values() if f.instances is not None]
    missing = [path for path in paths if not path.is_file()]
    if len(missing) == len(files):
        return {frame_id: Files(f.image, f.mask) for frame_id, f in files.items()}
    if missing:
        raise DataError(
            f"instance file {missing[0]} is missing, and others of the split are there: copy it "
            "again, or remove all *_instanceIds.png to do without iIoU"
        )
    return files


def _of_cities(folder: Path, pattern: str) -> list[Path]:
    """``CITY/pattern``, hidden cities and files left out."""
    return [path for city in visible(folder.iterdir()) for path in visible(city.glob(pattern))]
