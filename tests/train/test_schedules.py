"""Learning rates by hand, and the count that plateau and early stopping share."""

import pytest

from train.schedules import Plateau, learning_rate


@pytest.mark.parametrize(
    ("schedule", "step", "rate"),
    [
        ("cosine", 0, 0.05),  # a twentieth of the peak, then linear
        ("cosine", 5, 0.525),
        ("cosine", 10, 1.0),
        ("cosine", 60, 0.5025),  # half-way between 1 and the floor of 0.005
        ("cosine", 110, 0.005),
        ("poly", 60, 0.5**0.9),
        ("poly", 110, 0.0),
        ("constant", 109, 1.0),
        ("plateau", 109, 1.0),
    ],
)
def test_the_rate_is_a_function_of_the_step(schedule: str, step: int, rate: float) -> None:
    assert learning_rate(schedule, 2.0, step, steps=110, warmup=10) == pytest.approx(2 * rate)


def test_without_warm_up_the_peak_comes_first() -> None:
    assert learning_rate("cosine", 2.0, 0, steps=10, warmup=0) == 2.0


def test_a_plateau_counts_the_scores_that_brought_nothing() -> None:
    plateau = Plateau()
    seen = [plateau.update(score, epoch) for epoch, score in enumerate([0.1, 0.3, 0.3, 0.2], 1)]
    assert seen == [True, True, False, False]
    assert (plateau.best, plateau.best_epoch, plateau.waited) == (0.3, 2, 2)
