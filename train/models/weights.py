"""Start a network from a ``.keras`` file of the same architecture."""

from __future__ import annotations

from pathlib import Path

import keras

from roadmask.errors import ConfigError, ModelError
from train.keras_file import load_keras

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
    source = load_keras(path)
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
