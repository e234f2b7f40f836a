"""Calibration sets: the frames whose activations set the INT8 ranges, named and digested.

A set is a manifest (``calibration_data/*.toml``) of frames in a data set, or a folder of pictures.
Its frames go through the daemon's own preprocessing before the converter sees them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roadmask.arrays import U8, Image
from roadmask.data.datasets import Dataset, open_dataset
from roadmask.errors import ConfigError, DataError
from roadmask.imaging.reading import IMAGE_SUFFIXES, picture_files, read_image
from roadmask.system.toml import read_toml

# Pictures, not a manifest of drawn frames: those differ by pixels from one OpenCV to the next.
SHIPPED = Path(__file__).parents[2] / "calibration_data" / "town"
TOWN_SIZE = (1280, 720)  # px, of the frames that the manifest's digests are of


@dataclass(frozen=True)
class Manifest:
    """What a manifest file says.

    Attributes:
        dataset, split: where the frames come from; never an evaluation split.
        available: frames that the split had when they were picked.
        seed: of the pick.
        histogram: mean share of each category over the picked frames.
        frames: frame id → SHA-256 of its pixels.
    """

    dataset: str
    split: str
    available: int
    seed: int
    histogram: dict[str, float]
    frames: dict[str, str]


@dataclass(frozen=True)
class Calibration:
    """A set as it was read.

    Attributes:
        name: of the manifest or folder.
        dataset: data set that it is from, empty for a folder.
        ids: of the frames.
        digests: SHA-256 of each frame's pixels.
        samples: network inputs ``(H, W, 3) uint8`` RGB, the bytes that the INT8 model will take.
    """

    name: str
    dataset: str
    ids: tuple[str, ...]
    digests: tuple[str, ...]
    samples: list[U8]

    @property
    def sha256(self) -> str:
        """Identity of the set: the digest of its frames' digests, in order."""
        return hashlib.sha256("".join(self.digests).encode()).hexdigest()

    def check_apart(self, evaluation: Dataset) -> None:
        """Refuse an evaluation set that holds one of these frames, by name.

        Raises:
            DataError: names the frame.
        """
        if evaluation.name == self.dataset:
            for frame_id in set(self.ids).intersection(evaluation.ids):
                raise self._overlap(frame_id)

    def check_frame(self, frame_id: str, image: Image) -> None:
        """Refuse one evaluation frame whose pixels are those of a calibration frame.

        Raises:
            DataError: names the frame.
        """
        if pixel_digest(image) in self.digests:
            raise self._overlap(frame_id)

    def _overlap(self, frame_id: str) -> DataError:
        return DataError(
            f"calibration set {self.name} holds frame {frame_id} of the evaluation split: "
            "calibrate on training frames, or evaluate on another split"
        )


def pixel_digest(image: Image) -> str:
    """SHA-256 of a picture's size and pixels, in hex."""
    hasher = hashlib.sha256(repr(image.shape).encode())
    hasher.update(np.ascontiguousarray(image).data)
    return hasher.hexdigest()


def check_calibration(path: Path) -> None:
    """Refuse what is neither a folder nor a manifest, before anything is read.

    Raises:
        ConfigError: says which.
    """
    if not path.exists():
        raise ConfigError(
            f"calibration {path} is missing: give a folder of pictures or a manifest that "
            "`python -m convert calibrate` wrote"
        )
    if not path.is_dir() and path.suffix != ".toml":
        raise ConfigError(f"calibration {path}: expected a folder of pictures or a .toml manifest")


def read_calibration(
    path: Path,
    root: Path | None,
    prepare: Callable[[Image], U8],
    *,
    progress: Callable[[Iterator[Any], int], Iterator[Any]] = lambda frames, _: frames,
) -> Calibration:
    """Read a manifest's frames, or a folder's pictures, and check every one.

    Args:
        path: ``.toml`` manifest or folder.
        root: folder of the manifest's data set; the town needs none.
        prepare: preprocessing: ``(H, W, 3) uint8`` BGR → network input.
        progress: wraps the iterator over that many frames.

    Raises:
        ConfigError: no such manifest or folder, or a malformed manifest.
        DataError: a frame that is missing, changed, duplicate or unreadable; an empty folder.
    """
    check_calibration(path)
    if path.is_dir():
        name, dataset, total, frames = path.name, "", *_folder(path)
        expected: dict[str, str] = {}
    else:
        manifest = read_manifest(path)
        name, dataset, expected = path.stem, manifest.dataset, manifest.frames
        total, frames = len(expected), _manifest_frames(manifest, path, root)
    seen: dict[str, str] = {}
    samples = []
    for frame_id, image in progress(frames, total):
        digest = pixel_digest(image)
        if digest in seen:
            raise DataError(
                f"calibration {path}: frames {seen[digest]} and {frame_id} are the same picture; "
                "remove one"
            )
        if expected and expected[frame_id] != digest:
            raise DataError(
                f"calibration {path}: frame {frame_id} has changed since the manifest was written "
                "(its pixels' digest differs); restore it or run `python -m convert calibrate` anew"
            )
        seen[digest] = frame_id
        try:
            samples.append(prepare(image))
        except DataError as error:
            raise DataError(f"calibration {path}: frame {frame_id}: {error}") from None
    return Calibration(name, dataset, tuple(seen.values()), tuple(seen), samples)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest file; its frames are not looked at.

    Raises:
        ConfigError: missing, not TOML, or not a manifest.
    """
    table = read_toml(path)
    try:
        rows = [(str(row["id"]), str(row["sha256"])) for row in table["frames"]]
        manifest = Manifest(
            str(table["dataset"]),
            str(table["split"]),
            int(table["available"]),
            int(table["seed"]),
            {str(k): float(v) for k, v in table["histogram"].items()},
            dict(rows),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"calibration manifest {path} is not one: {type(error).__name__} {error}; write it "
            "with `python -m convert calibrate`"
        ) from error
    if not rows:
        raise ConfigError(f"calibration manifest {path} names no frame")
    if len(manifest.frames) != len(rows):
        raise ConfigError(f"calibration manifest {path} names a frame twice; remove one")
    return manifest


def manifest_text(manifest: Manifest) -> str:
    """The manifest as TOML; the same content gives the same text."""
    histogram = ", ".join(f"{name} = {share:.4f}" for name, share in manifest.histogram.items())
    lines = [
        "# Calibration frames, picked by `python -m convert calibrate`. A digest is the SHA-256 of",
        "# a frame's size and pixels: conversion refuses a frame that differs.",
        f'dataset = "{manifest.dataset}"',
        f'split = "{manifest.split}"',
        f"available = {manifest.available}  # frames that the split had",
        f"seed = {manifest.seed}",
        'preprocessing = "roadmask.preprocess: stretched to the network\'s input, RGB"',
        f"histogram = {{ {histogram} }}",
        "frames = [",
        *(f'  {{ id = "{i}", sha256 = "{digest}" }},' for i, digest in manifest.frames.items()),
        "]",
    ]
    return "\n".join(lines) + "\n"


def _folder(path: Path) -> tuple[int, Iterator[tuple[str, Image]]]:
    pictures = picture_files(path)
    if not pictures:
        raise DataError(
            f"calibration folder {path} holds no picture ({', '.join(IMAGE_SUFFIXES)}): give "
            "training frames, 50 or more"
        )
    return len(pictures), ((p.name, read_image(p)) for p in pictures)


def _manifest_frames(
    manifest: Manifest, path: Path, root: Path | None
) -> Iterator[tuple[str, Image]]:
    if root is None and manifest.dataset != "town":
        raise ConfigError(
            f"calibration manifest {path} names frames of {manifest.dataset}: give that data "
            "set's folder with --calibration-root"
        )
    dataset = open_dataset(
        manifest.dataset, root, manifest.split, count=manifest.available, size=TOWN_SIZE
    )
    places = {frame_id: i for i, frame_id in enumerate(dataset.ids)}
    missing = [frame_id for frame_id in manifest.frames if frame_id not in places]
    if missing:
        raise DataError(
            f"calibration manifest {path}: frame {missing[0]} is missing from {root or 'the town'} "
            f"({len(missing)} of {len(manifest.frames)} are); restore it or pick anew with "
            "`python -m convert calibrate`"
        )
    return ((frame_id, dataset[places[frame_id]].image) for frame_id in manifest.frames)
