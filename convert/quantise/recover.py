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

from convert.quantise.divergence import divergence, network_end
from convert.quantise.equalise import equalise
from convert.quantise.fake_quant import kernels, rounding_network
from convert.quantise.graph import ExportGraph
from roadmask.arrays import F32, U8
from roadmask.errors import ModelError, first_line
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


def check_recover(model: Any) -> None:
    """Refuse what cannot be trained, before the work of a conversion.

    Raises:
        ModelError: nothing to train, another precision, or layers that cannot be copied.
    """
    import keras

    remedy = "convert it without --recover, or with --repair"
    for layer in model._flatten_layers(include_self=False):
        adapted = getattr(layer, "lora_enabled", False)
        policy = "a LoRA adapter" if adapted else layer.dtype_policy.name
        if policy != "float32" and not isinstance(layer, keras.Model):
            raise ModelError(
                f"--recover trains layers of float32, and {layer.name} has {policy}: build the "
                "network of float32 layers and give it the same weights"
            )
    if not kernels(model):
        raise ModelError(
            f"--recover: {model.name} has no convolution or dense layer that Keras can train: "
            f"{remedy}"
        )
    try:
        rounding_network(_copy(model))
    except Exception as error:  # whatever a layer of one's own raises
        raise ModelError(
            f"--recover: {model.name} cannot be copied layer by layer ({first_line(error)}): "
            f"{remedy}"
        ) from error


def recover(graph: ExportGraph, samples: Sequence[U8], epochs: int) -> Recovery:
    """Train a copy of the network for so many epochs; the same input gives the same weights.

    What ``check_recover`` refuses, raises anything here.
    """
    import keras

    from train.loop.backend import prepare_backend

    prepare_backend(SEED, 1)
    model = _copy(graph.model)
    model.trainable = True
    batches = -(-len(samples) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * batches)
    step, measure = _steps(graph.model, model, rate)

    def losses(run: Callable[[Any], Any], order: Sequence[int], bar: Any) -> float:
        found = []
        for start in range(0, len(samples), BATCH):
            chosen = order[start : start + BATCH]
            found.append(float(run(np.stack([_fed(graph, samples[i]) for i in chosen]))))
            bar.update(note=f"loss {found[-1]:.4f}")
        return float(np.mean(found))

    rng, plain = np.random.default_rng(SEED), range(len(samples))
    with part("recover", 2 * (epochs + 1) * batches, unit="step") as bar:
        before = losses(measure, plain, bar)
        even = _copy(graph.model)  # whose layers are a part of no other network
        equalised = equalise(even, (_fed(graph, sample) for sample in samples))
        best, weights, kept = before, model.get_weights(), 0
        model.set_weights(even.get_weights())
        equal_loss = losses(measure, plain, bar)
        if equal_loss < before:
            best, weights = equal_loss, model.get_weights()
        else:
            equalised = 0
        model.set_weights(weights)
        for epoch in range(1, epochs + 1):
            losses(step, rng.permutation(len(samples)).tolist(), bar)
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
        len(samples),
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


def _steps(teacher: Any, model: Any, rate: Any) -> tuple[Any, Any]:
    """A step of training the model, and its loss alone.

    The teacher is asked anew each time: its answers to all pictures need not fit into memory.
    """
    import keras
    import tensorflow as tf

    pupil, variables, end = rounding_network(model), model.trainable_variables, network_end(model)
    # A name of its own keeps the process's count out of the graph, see ``fake_quant``.
    optimizer = keras.optimizers.Adam(rate, name="adam")
    optimizer.build(variables)

    def loss_of(images: Any) -> Any:
        return divergence(teacher(images, training=False), pupil(images), end)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def step(images: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([v.value for v in variables])
            loss = loss_of(images)
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        return loss

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def measure(images: Any) -> Any:
        return loss_of(images)

    return step, measure


def _digest(weights: Sequence[npt.NDArray[Any]]) -> str:
    hasher = hashlib.sha256()
    for array in weights:
        hasher.update(np.ascontiguousarray(array).tobytes())
    return hasher.hexdigest()
