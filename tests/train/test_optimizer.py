"""The average of the weights follows its formula, and forgets where it began."""

import keras
import numpy as np
import pytest

from train.loop.optimizer import AveragedAdamW


def _train(optimizer: keras.optimizers.Optimizer, steps: int) -> tuple[float, float]:
    """The weight that goes from 1 towards 0, and its average."""
    weight = keras.Variable(1.0)
    optimizer.build([weight])
    expected = 0.0
    for step in range(steps):
        optimizer.apply([keras.ops.convert_to_tensor(1.0)], [weight])
        momentum = min(0.998, (1 + step) / (10 + step)) if step else 0.0
        expected = momentum * expected + (1 - momentum) * float(weight)
    optimizer.finalize_variable_values([weight])
    return expected, float(weight)


def test_the_average_follows_its_formula() -> None:
    expected, average = _train(AveragedAdamW(0.01, weight_decay=0.0), 30)
    assert average == pytest.approx(expected, rel=1e-5)


def test_the_average_of_a_short_run_has_left_the_first_weights() -> None:
    steps = 40
    _, warmed = _train(AveragedAdamW(0.01, weight_decay=0.0), steps)
    constant = keras.optimizers.AdamW(0.01, weight_decay=0.0, use_ema=True, ema_momentum=0.998)
    _, lagging = _train(constant, steps)
    last = 1 - 0.01 * steps  # Adam moves by its rate a step where the gradient never changes
    assert lagging > 0.95  # still the first weight
    assert last < warmed < last + 0.08


def test_the_limit_survives_saving() -> None:
    optimizer = AveragedAdamW(0.01, ema_momentum=0.9)
    again = AveragedAdamW.from_config(optimizer.get_config())
    again.build([keras.Variable(np.zeros(2))])
    assert again.get_config()["ema_momentum"] == 0.9
    assert again.use_ema
