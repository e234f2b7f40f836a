"""TensorFlow's import and converter write pages to the terminal; here they are kept quiet."""

from __future__ import annotations

import os
import sys

from roadmask.errors import ConfigError
from roadmask.system.terminal import quiet


def import_tensorflow(*, verbose: bool = False) -> None:
    """Import TensorFlow, and Keras on top of it, without their chatter.

    Raises:
        ConfigError: not installed, or Keras already runs on another backend.
    """
    # The converter quantises on the CPU; a GPU would only cost start-up and determinism.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        with quiet(not verbose):
            import keras
            import tensorflow  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"conversion needs TensorFlow, and {error.name} is missing: run `make setup`"
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"Keras runs on {keras.backend.backend()}: conversion needs KERAS_BACKEND=tensorflow"
        )
