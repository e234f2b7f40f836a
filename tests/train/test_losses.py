"""Every term against plain NumPy, its gradient, and void; on the backend that Keras runs on."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from roadmask.errors import ConfigError
from train.losses import SegmentationLoss, parse_loss

Array = npt.NDArray[Any]
WEIGHTS = [1.0, 2.0, 0.5, 3.0]


def pixels(truth: Array, logits: Array) -> tuple[Array, Array]:
    """Probabilities ``(P, K)`` and classes ``(P,)`` 0…K-1 of the pixels that are not void."""
    exp = np.exp(logits[..., 1:] - logits[..., 1:].max(-1, keepdims=True))
    p = exp / exp.sum(-1, keepdims=True)
    valid = truth > 0
    return p[valid], truth[valid] - 1


def ce_reference(truth: Array, logits: Array, smoothing: float = 0.0) -> float:
    p, c = pixels(truth, logits)
    w = np.asarray(WEIGHTS)[c]
    soft = np.eye(4)[c] * (1 - smoothing) + smoothing / 4
    return float((w * -(soft * np.log(p)).sum(-1)).sum() / w.sum())


def ohem_reference(truth: Array, logits: Array, threshold: float, share: float) -> float:
    p, c = pixels(truth, logits)
    loss = -np.log(p[np.arange(len(c)), c])
    kept = np.zeros(len(c), bool)
    kept[np.argsort(-loss)[: int(np.ceil(len(c) * share))]] = True
    kept |= loss >= -np.log(threshold)
    w = np.asarray(WEIGHTS)[c] * kept
    return float((w * loss).sum() / w.sum())


def focal_reference(truth: Array, logits: Array, gamma: float) -> float:
    p, c = pixels(truth, logits)
    p_true, w = p[np.arange(len(c)), c], np.asarray(WEIGHTS)[c]
    return float((w * (1 - p_true) ** gamma * -np.log(p_true)).sum() / w.sum())


def overlap_reference(truth: Array, logits: Array, jaccard: bool) -> float:
    p, c = pixels(truth, logits)
    losses = []
    for k in np.unique(c):
        t = c == k
        inter, total = p[t, k].sum(), p[:, k].sum() + t.sum()
        score = (inter + 1) / (total - inter + 1) if jaccard else (2 * inter + 1) / (total + 1)
        losses.append(1 - score)
    return float(np.mean(losses))


def lovasz_reference(truth: Array, logits: Array) -> float:
    """By definition: the set function at every prefix of the pixels, the worst first."""
    p, c = pixels(truth, logits)
    losses = []
    for k in np.unique(c):
        t = c == k
        errors = np.abs(t - p[:, k])
        order = np.argsort(-errors)
        before, total = 0.0, 0.0
        for n in range(1, len(order) + 1):
            wrong = np.zeros(len(t), bool)
            wrong[order[:n]] = True
            # The prediction that is wrong at exactly these pixels.
            guess = t ^ wrong
            loss = 1 - (t & guess).sum() / (t | guess).sum()
            total += errors[order[n - 1]] * (loss - before)
            before = loss
        losses.append(total)
    return float(np.mean(losses))


CASES: list[tuple[str, Callable[[Array, Array], float]]] = [
    ("ce", ce_reference),
    ("ce(smoothing=0.1)", lambda t, z: ce_reference(t, z, 0.1)),
    ("ohem(threshold=0.2,share=0.25)", lambda t, z: ohem_reference(t, z, 0.2, 0.25)),
    ("ohem(threshold=0.9,share=0.01)", lambda t, z: ohem_reference(t, z, 0.9, 0.01)),
    ("focal", lambda t, z: focal_reference(t, z, 2.0)),
    ("focal(gamma=0.5)", lambda t, z: focal_reference(t, z, 0.5)),
    ("dice", lambda t, z: overlap_reference(t, z, jaccard=False)),
    ("jaccard", lambda t, z: overlap_reference(t, z, jaccard=True)),
    ("lovasz", lovasz_reference),
    (
        "focal+jaccard",
        lambda t, z: focal_reference(t, z, 2.0) + overlap_reference(t, z, jaccard=True),
    ),
    (
        "0.5 * ce + 2*lovasz",
        lambda t, z: 0.5 * ce_reference(t, z) + 2 * lovasz_reference(t, z),
    ),
]


@pytest.fixture
def example() -> tuple[Array, Array]:
    """Truth of classes 1, 2 and 3 of 4 with void, and full-size logits."""
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 4, (2, 6, 5)).astype(np.int32)
    return truth, rng.normal(scale=2, size=(2, 6, 5, 5)).astype(np.float32)


def value(loss: SegmentationLoss, truth: Array, logits: Array) -> float:
    return float(loss(truth, keras.ops.convert_to_tensor(logits)))


def gradient(loss: SegmentationLoss, truth: Array, logits: Array) -> Array:
    if keras.backend.backend() == "jax":
        import jax

        return np.asarray(jax.grad(lambda z: loss(truth, z))(logits))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        z = tf.constant(logits)
        tape.watch(z)
        number = loss(truth, z)
    return np.asarray(tape.gradient(number, z))


@pytest.mark.parametrize(("spec", "reference"), CASES, ids=[spec for spec, _ in CASES])
def test_a_loss_equals_plain_numpy(
    spec: str, reference: Callable[[Array, Array], float], example: tuple[Array, Array]
) -> None:
    truth, logits = example
    loss = SegmentationLoss(WEIGHTS, spec)
    assert value(loss, truth, logits) == pytest.approx(reference(truth, logits), rel=2e-5)


@pytest.mark.parametrize("spec", [spec for spec, _ in CASES])
def test_the_gradient_is_finite_falls_downhill_and_leaves_void_alone(
    spec: str, example: tuple[Array, Array]
) -> None:
    truth, logits = example
    logits = logits.copy()
    logits[0, 0] *= 40  # certain pixels, right and wrong ones: p is exactly 0 or 1 there
    loss = SegmentationLoss(WEIGHTS, spec)
    slope = gradient(loss, truth, logits)
    assert np.isfinite(slope).all()
    assert np.abs(slope).max() > 0
    np.testing.assert_array_equal(slope[truth == 0], 0)
    np.testing.assert_array_equal(slope[..., 0], 0)
    step = 1e-3 * slope / np.linalg.norm(slope)
    assert value(loss, truth, logits - step) < value(loss, truth, logits)


@pytest.mark.parametrize("spec", [spec for spec, _ in CASES])
def test_all_void_is_zero_with_a_finite_gradient(spec: str, example: tuple[Array, Array]) -> None:
    truth, logits = example
    loss = SegmentationLoss(WEIGHTS, spec)
    assert value(loss, np.zeros_like(truth), logits) == 0
    np.testing.assert_array_equal(gradient(loss, np.zeros_like(truth), logits), 0)


@pytest.mark.parametrize("spec", [spec for spec, _ in CASES])
def test_void_pixels_and_the_void_channel_count_nowhere(
    spec: str, example: tuple[Array, Array]
) -> None:
    truth, logits = example
    changed = logits.copy()
    changed[truth == 0] += np.random.default_rng(5).normal(size=5).astype(np.float32) * 9
    changed[..., 0] += 50
    loss = SegmentationLoss(WEIGHTS, spec)
    before = value(loss, truth, logits)
    assert value(loss, truth, changed) == pytest.approx(before, rel=1e-5)


def test_cross_entropy_of_a_hand_worked_pair() -> None:
    # Two pixels, classes 1 and 2 of three (void, 1, 2); equal logits give p = 1/2 each.
    truth = np.array([[[1, 2]]], np.int32)
    loss = SegmentationLoss([1.0, 1.0], "ce")
    assert value(loss, truth, np.zeros((1, 1, 2, 3), np.float32)) == pytest.approx(np.log(2))


def test_small_logits_meet_every_second_pixel_of_the_truth() -> None:
    rng = np.random.default_rng(6)
    logits = rng.normal(size=(1, 4, 4, 5)).astype(np.float32)
    truth = rng.integers(0, 5, (1, 8, 8)).astype(np.int32)
    loss = SegmentationLoss(WEIGHTS, "ce")
    expected = ce_reference(truth[:, ::2, ::2], logits)
    assert value(loss, truth, logits) == pytest.approx(expected, rel=1e-5)


def test_one_hot_truth_and_a_set_whose_void_is_255(example: tuple[Array, Array]) -> None:
    truth, logits = example
    expected = ce_reference(truth, logits)
    planes = np.eye(5, dtype=np.float32)[truth] * (truth > 0)[..., None]
    assert value(SegmentationLoss(WEIGHTS, "ce"), planes, logits) == pytest.approx(expected)
    # The same classes counted from 0, as in cityscapes-19: no channel is void's.
    from_zero = np.where(truth == 0, 255, truth - 1).astype(np.int32)
    loss = SegmentationLoss(WEIGHTS, "ce", first_class=0)
    assert value(loss, from_zero, logits[..., 1:]) == pytest.approx(expected, rel=1e-5)


def test_a_loss_comes_back_from_its_configuration() -> None:
    loss = SegmentationLoss(WEIGHTS, "focal(gamma=1.5)+jaccard", first_class=0)
    again = SegmentationLoss.from_config(loss.get_config())
    assert again.get_config() == loss.get_config()


def test_a_sum_is_read_with_weights_and_options() -> None:
    terms = parse_loss("ce(smoothing=1e-2) + 0.5*ohem(threshold=0.6, share=0.1)")
    assert [(t.weight, t.name) for t in terms] == [(1.0, "ce"), (0.5, "ohem")]
    assert terms[1].options == {"threshold": 0.6, "share": 0.1}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("", "no term"),
        ("ce+", "no term"),
        ("ce-dice", "no term"),
        ("2*", "no term"),
        ("cee", "did you mean ce"),
        ("0*ce", "more than 0"),
        ("1e*ce", "a number"),
        ("-1*ce", "more than 0"),
        ("dice(gamma=2)", "no options"),
        ("focal(alpha=2)", "takes gamma"),
        ("focal(gamma=-1)", "0 to inf"),
        ("focal(gamma=nan)", "a number"),
        ("ce(smoothing)", "a number"),
        ("ohem(share=1.5)", "0 to 1"),
    ],
)
def test_a_sum_that_cannot_be_read_is_one_line(spec: str, words: str) -> None:
    with pytest.raises(ConfigError, match="loss") as caught:
        parse_loss(spec)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="no JAX: pip install --group jax")
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="this is that run")
@pytest.mark.parametrize("tests", ["plain_numpy", pytest.param("", marks=pytest.mark.slow)])
def test_the_losses_are_the_same_on_jax(tests: str) -> None:
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        tests,
        __file__,
    ]
    folder = Path(__file__).parents[2]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:]
