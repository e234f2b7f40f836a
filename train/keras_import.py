"""Keras writes pages to the terminal when it is imported; here they are kept quiet."""

from __future__ import annotations

import logging
import os
from importlib.util import find_spec

from roadmask.errors import ConfigError
from roadmask.system.terminal import quiet

_MISSING = "training needs {}, which is missing: run `make setup`"


def require_keras() -> None:
    """Answer at once, before anything is said or loaded.

    Raises:
        ConfigError: Keras is not installed.
    """
    if find_spec("keras") is None:
        raise ConfigError(_MISSING.format("keras"))


def import_keras(*, verbose: bool = False) -> None:
    """Import Keras and its backend, and let them look for devices, without their chatter.

    Raises:
        ConfigError: they are not installed.
    """
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # It warns of retracing where a report runs one network after another.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        with quiet(not verbose):
            import train.runs.environment
            import train.runs.record

            train.runs.environment.environment()
    except ImportError as error:
        raise ConfigError(_MISSING.format(error.name)) from error
