"""TensorFlow's import and converter write pages to the terminal; here they are kept quiet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from roadmask.errors import ConfigError


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


@contextmanager
def quiet(enabled: bool = True) -> Iterator[TextIO]:
    """Drop what the process writes to standard output and error, C++ included.

    Yields:
        A stream to the real standard error, for a progress bar.
    """
    if not enabled:
        yield sys.stderr
        return
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    terminal = os.fdopen(os.dup(kept[1]), "w", buffering=1)
    try:
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, saved in enumerate(kept, start=1):
            os.dup2(saved, number)
            os.close(saved)
        os.close(nowhere)
        terminal.close()
