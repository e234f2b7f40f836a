"""AdamW (Loshchilov & Hutter, 2019) that also keeps an average of the weights (EMA)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("roadmask")
class AveragedAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """AdamW with EMA weights whose momentum warms up: ``min(momentum, (1 + t) / (10 + t))``.

    A constant momentum of 0.998 looks back 500 steps: after a short run the average would still
    hold the random first weights. The rising one is that of TensorFlow's
    ``train.ExponentialMovingAverage(num_updates=t)``; ``t`` is the number of the step, from 0.
    """

    def __init__(self, *args: Any, ema_momentum: float = 0.998, **options: Any) -> None:
        super().__init__(*args, **(options | {"use_ema": True}), ema_momentum=ema_momentum)

    @property
    def ema_momentum(self) -> Any:
        """What Keras multiplies the old average with at this step."""
        if not self.built:
            return self._momentum_limit
        step = ops.cast(self.iterations, "float32")
        return ops.minimum(self._momentum_limit, (1 + step) / (10 + step))

    @ema_momentum.setter
    def ema_momentum(self, value: float) -> None:
        self._momentum_limit = value

    def get_config(self) -> dict[str, Any]:
        """What ``__init__`` takes."""
        return {**super().get_config(), "ema_momentum": self._momentum_limit}
