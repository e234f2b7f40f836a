"""A short fine-tune with quantisation in the loop: the network learns to say the same in INT8.

First its channels are evened out (``equalise``), which changes nothing in float. Then the float
network itself is the teacher, the same one with rounding (``fake_quant``) the pupil, the pictures
are those of the calibration, and no label is read (Hinton et al., 2015).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.quantise.equalise import equalise
from convert.quantise.fake_quant import kernels, rounding_network
from convert.quantise.graph import ExportGraph
from roadmask.arrays import F32, U8
from roadmask.errors import ModelError
from roadmask.system.progress import part

BATCH = 4
LEARNING_RATE = 2e-5  # of the first step; it falls to nothing along a half cosine
SEED = 1


@dataclass(frozen=True)
class Recovery:
    """What the fine-tune made.

    Attributes:
        graph: the network with its new weights.
        epochs: passes over the frames.
        best: the epoch whose weights these are, that of the lowest loss; 0: none was better.
        equalised: tensors whose channels were brought to like ranges first; 0: it did not help.
        frames: of the calibration.
        loss: divergence of the rounded network from the float one, nats a pixel: as it came,
            equalised, and trained.
        digest: SHA-256 of the new weights.
    """

    graph: ExportGraph
    epochs: int
    best: int
    equalised: int
    frames: int
    loss: tuple[float, float, float]
    digest: str

    def to_json(self) -> dict[str, Any]:
        """For the report and the model file."""
        return {
            "epochs": self.epochs,
            "best_epoch": self.best,
            "equalised": self.equalised,
            "frames": self.frames,
            "batch": BATCH,
            "learning_rate": LEARNING_RATE,
            "seed": SEED,
            "loss": {
                key: round(value, 6)
                for key, value in zip(("before", "equalised", "after"), self.loss, strict=True)
            },
            "weights_sha256": self.digest,
        }


def recover(graph: ExportGraph, samples: Sequence[U8], epochs: int) -> Recovery:
    """Train a copy of the network for so many epochs; the same input gives the same weights.

    Raises:
        ModelError: no layer of it has weights that can be trained.
    """
    import keras

    from train.loop.backend import prepare_backend

    prepare_backend(SEED, 1)
    model = _copy(graph.model)
    if not kernels(model):
        raise ModelError(
            f"--recover: {graph.model.name} has no convolution or dense layer that Keras can train"
        )
    model.trainable = True
    frames = [_fed(graph, sample) for sample in samples]
    targets = [np.asarray(graph.model(frame[None], training=False))[0] for frame in frames]
    batches = -(-len(frames) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * batches)
    step, measure = _steps(rounding_network(model), model.trainable_variables, rate)

    def losses(run: Callable[[Any, Any], Any], order: Sequence[int], bar: Any) -> float:
        found = []
        for start in range(0, len(frames), BATCH):
            chosen = order[start : start + BATCH]
            pictures, said = (np.stack([each[i] for i in chosen]) for each in (frames, targets))
            found.append(float(run(pictures, said)))
            bar.update(note=f"loss {found[-1]:.4f}")
        return float(np.mean(found))

    rng, plain = np.random.default_rng(SEED), range(len(frames))
    with part("recover", 2 * (epochs + 1) * batches, unit="step") as bar:
        before = losses(measure, plain, bar)
        even = _copy(graph.model)  # whose layers are a part of no other network
        equalised = equalise(even, frames)
        best, weights, kept = before, model.get_weights(), 0
        model.set_weights(even.get_weights())
        equal_loss = losses(measure, plain, bar)
        if equal_loss < before:
            best, weights = equal_loss, model.get_weights()
        else:
            equalised = 0
        model.set_weights(weights)
        for epoch in range(1, epochs + 1):
            losses(step, rng.permutation(len(frames)).tolist(), bar)
            loss = losses(measure, plain, bar)
            if loss < best:
                best, weights, kept = loss, model.get_weights(), epoch
    trained = _copy(graph.model)
    trained.set_weights(weights)
    return Recovery(
        replace(graph, model=trained),
        epochs,
        kept,
        equalised,
        len(frames),
        (before, equal_loss, best),
        _digest(weights),
    )


def _copy(model: Any) -> Any:
    import keras

    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    return other


def _fed(graph: ExportGraph, sample: U8) -> F32:
    """A picture as the Keras model takes it."""
    scale, offset = graph.normalisation
    picture = sample * np.float32(scale) + np.float32(offset)
    fed: F32 = np.asarray(graph.mixed(picture[None]), np.float32)[0]
    return fed


def _steps(pupil: Callable[[Any], Any], variables: list[Any], rate: Any) -> tuple[Any, Any]:
    """A step of training, and the loss alone."""
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(variables)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def step(images: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = divergence(targets, pupil(images))
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        return loss

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def measure(images: Any, targets: Any) -> Any:
        return divergence(targets, pupil(images))

    return step, measure


def divergence(teacher: Any, pupil: Any) -> Any:
    """Kullback-Leibler divergence of the pupil's categories from the teacher's, mean of pixels."""
    import tensorflow as tf

    known, said = tf.nn.log_softmax(teacher), tf.nn.log_softmax(pupil)
    return tf.reduce_mean(tf.reduce_sum(tf.exp(known) * (known - said), axis=-1))


def _digest(weights: Sequence[npt.NDArray[Any]]) -> str:
    hasher = hashlib.sha256()
    for array in weights:
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()
