"""What a file that is no TensorFlow Lite model is, and what to do with it."""

from __future__ import annotations

from pathlib import Path

from roadmask.system.bounded import open_regular

_LFS = b"version https://git-lfs.github.com/spec/"
KERAS, HDF5, SAVED_MODEL, ONNX, TFLITE, POINTER = (
    "a .keras file",
    "a Keras .h5 file",
    "a SavedModel",
    "an ONNX file",
    "a .tflite file",
    "a Git LFS pointer",
)
CONVERTED = (KERAS, HDF5, SAVED_MODEL, ONNX)  # that `python -m convert` reads


def model_form(path: Path) -> str:
    """One of the names above, or empty; by content, and for ONNX, which has no mark, by name."""
    if path.is_dir():
        return SAVED_MODEL if (path / "saved_model.pb").is_file() else ""
    try:
        with open_regular(path) as file:
            head = file.read(64)
    except OSError:
        return ""
    if head.startswith(_LFS):
        return POINTER
    if head[4:8] == b"TFL3":
        return TFLITE
    if head.startswith(b"PK\x03\x04") and path.suffix == ".keras":
        return KERAS
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return HDF5
    return ONNX if path.suffix == ".onnx" else ""


def remedy(path: Path) -> str:
    """What to do with a file that the daemon was given in place of a model; empty if unknown."""
    form = model_form(path)
    if form == POINTER:
        return f"it is {form}, a few lines in place of the file: run `git lfs pull`, or fetch it"
    if form in CONVERTED:
        return f"it is {form}: make one with `python -m convert {path} --out MODEL.tflite`"
    return ""
