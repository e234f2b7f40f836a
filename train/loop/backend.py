"""Set Keras up before a network is built: seeds, repeatable sums, precision, devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from roadmask.errors import ConfigError


def prepare_backend(seed: int, devices: int) -> None:
    """Seed everything; on a CPU ask TensorFlow for sums in one order; spread over devices.

    Raises:
        ConfigError: fewer devices than asked for, or a backend that Keras cannot spread over them.
    """
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # It costs nothing that could be measured on a CPU. On a GPU some gradients have no such
        # form, and TensorFlow would raise in the middle of the first step.
        if not tf.config.list_physical_devices("GPU"):
            tf.config.experimental.enable_op_determinism()
    if devices > 1:
        _spread(devices)


def _spread(devices: int) -> None:
    if keras.backend.backend() != "jax":
        raise ConfigError(
            f"--devices {devices}: Keras spreads a network over devices with the JAX backend only; "
            "set KERAS_BACKEND=jax (pip install jax)"
        )
    found = keras.distribution.list_devices()
    if len(found) < devices:
        raise ConfigError(f"--devices {devices}: {len(found)} found ({', '.join(found)})")
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=found[:devices], auto_shard_dataset=False)
    )


@contextmanager
def low_precision(policy: str) -> Iterator[None]:
    """Layers that are built inside compute in ``policy``; the finished network is float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
