"""Train on another Keras backend, stop within the epoch and resume; prints whether it is the same.

``KERAS_BACKEND=jax python jax_run.py OUT DEVICES``; a process of its own, because Keras takes its
backend at import.
"""

import sys
import threading
from pathlib import Path
from typing import Any

import keras
import numpy as np

from roadmask.data.datasets import open_dataset
from train.config import FitConfig
from train.data.loader import Part
from train.loop.fit import Fit, Interrupted


class StopAfter:
    """Lets a fit take ``steps`` steps."""

    def __init__(self, fit: Fit, steps: int, stop: threading.Event) -> None:
        self._left, self._stop, self._step = steps, stop, fit.model.train_on_batch
        fit.model.train_on_batch = self

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self._left -= 1
        if not self._left:
            self._stop.set()
        return self._step(*arguments, **options)


def main() -> None:
    """See the module."""
    out, devices = Path(sys.argv[1]), int(sys.argv[2])
    config = FitConfig(
        model="unet_mini",
        input_size=(32, 32),
        crop_size=(32, 32),
        epochs=1,
        batch_size=2,
        devices=devices,
        precision="mixed_bfloat16",
    )
    parts = [Part(open_dataset("town", count=7, size=(64, 48)), 7)]
    validation = open_dataset("town", split="val", count=2, size=(64, 48))
    whole = Fit(config, parts, validation, out / "whole")
    whole.run()
    stop = threading.Event()
    fit = Fit(config, parts, validation, out / "broken", stop=stop)
    StopAfter(fit, 2, stop)
    try:
        fit.run()
        raise SystemExit("was not stopped")
    except Interrupted:
        pass
    resumed = Fit(config, parts, validation, out / "broken")
    resumed.run()
    pairs = zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True)
    same = all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)
    network = keras.saving.load_model(out / "broken" / "unet_mini.keras")
    print(keras.backend.backend(), "steps", int(resumed.model.optimizer.iterations), "same", same)
    print("network", {str(v.dtype) for v in network.variables}, network.dtype_policy.name)


if __name__ == "__main__":
    main()
