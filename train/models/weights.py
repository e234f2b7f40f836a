"""Start a network from a ``.keras`` file of the same architecture."""

from __future__ import annotations

from pathlib import Path

import keras

from roadmask.errors import ConfigError, ModelError

IMAGENET = "imagenet"
_ENCODER_SUFFIXES = (".h5", ".pth")


def is_encoder_weights(weights: str | Path | None) -> bool:
    """Whether ``weights`` are for the encoder alone: ``imagenet``, an ``.h5`` or a ``.pth`` file.

    Raises:
        ConfigError: neither these nor a ``.keras`` file.
    """
    if weights is None:
        return False
    path = Path(weights)
    if str(weights) == IMAGENET or path.suffix in _ENCODER_SUFFIXES:
        return True
    if path.suffix != ".keras":
        raise ConfigError(
            f"weights {str(weights)!r}: expected {IMAGENET}, an .h5 or .pth file of the encoder, "
            "or a .keras file of the network"
        )
    return False


def load_weights(model: keras.Model, path: Path) -> None:
    """Take the weights of ``path`` into ``model``; layers of logits keep theirs if they differ.

    Raises:
        ModelError: missing, unreadable, or another architecture.
    """
    if not path.is_file():
        raise ModelError(f"weights {path} are missing: give a .keras file that `train` wrote")
    try:
        source = keras.saving.load_model(path, compile=False)
    except Exception as error:  # whatever the damage causes: zipfile, h5py, JSON, TypeError
        lines = str(error).strip().splitlines()
        detail = lines[0][:160] if lines else type(error).__name__
        raise ModelError(f"weights {path} cannot be read as a .keras file: {detail}") from error
    wanted, given = model.weights, source.weights
    if len(wanted) != len(given):
        raise ModelError(
            f"weights {path} are of another network: {source.name} has {len(given)} tensors, "
            f"{model.name} {len(wanted)}"
        )
    last = {id(w) for x in model.layers if x.name.startswith("logits") for w in x.weights}
    for target, value in zip(wanted, given, strict=True):
        if tuple(target.shape) == tuple(value.shape):
            target.assign(value)
        elif id(target) not in last:
            raise ModelError(
                f"weights {path} are of another network: {value.path} is {tuple(value.shape)}, "
                f"{target.path} of {model.name} {tuple(target.shape)}"
            )
