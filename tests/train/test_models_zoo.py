"""Each network of the zoo: a training step, save, reload, full INT8, the daemon's engine."""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

from convert.quantise.converter import to_int8
from convert.quantise.graph import export_graph
from convert.quantise.operators import count_operators, float_operators, read_operators
from roadmask.inference.engine import Engine
from roadmask.inference.postprocess import Postprocess
from roadmask.town.town import Town
from train.keras_file import load_keras
from train.losses import SegmentationLoss
from train.models import MODELS, build_model

SIZE = (64, 64)
FAST = ("unet_mini",)
SLOW = (pytest.mark.slow, pytest.mark.timeout(1800))  # SegFormer-B5 takes minutes to trace
EVERY = [pytest.param(name, marks=() if name in FAST else SLOW) for name in MODELS]


@pytest.fixture(autouse=True)
def freed_networks() -> Iterator[None]:
    """Without it seventeen networks, their optimisers and graphs stay: 19 GB."""
    yield
    keras.backend.clear_session()
    gc.collect()


def frames(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Town frames ``(N, 64, 64, 3) uint8`` RGB and their categories."""
    town = Town(5, *SIZE)
    drawn = [town.frame(30 * number) for number in range(count)]
    images = np.stack([frame.image[..., ::-1] for frame in drawn])
    return images, np.stack([frame.category_mask for frame in drawn])


@pytest.mark.parametrize("name", EVERY)
def test_a_network_trains_saves_reloads_converts_and_runs(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(7)
    model = build_model(name, SIZE)
    images, masks = frames(4)
    x, y = images.astype(np.float32), masks.astype(np.int32)
    model.compile(keras.optimizers.AdamW(1e-3), SegmentationLoss(), jit_compile=False)
    before = [np.asarray(w).copy() for w in model.trainable_weights]
    assert np.isfinite(model.train_on_batch(x, y))
    moved = [
        np.any(a != np.asarray(b)) for a, b in zip(before, model.trainable_weights, strict=True)
    ]
    # Weights of one category's void channel alone may stand still.
    assert np.mean(moved) > 0.9, "most tensors take part in training"

    path = tmp_path / f"{name}.keras"
    model.save(path)
    reloaded = load_keras(path)
    logits = np.asarray(reloaded(x[:1], training=False))[0]
    np.testing.assert_allclose(logits, np.asarray(model(x[:1], training=False))[0], atol=1e-5)

    int8 = to_int8(export_graph(reloaded), list(images))
    operators = read_operators(int8)
    assert [o.name for o in float_operators(operators)] == []
    assert not [o for o in count_operators(operators) if o.startswith("CUSTOM")]

    file = tmp_path / f"{name}.tflite"
    file.write_bytes(int8)
    engine = Engine(file, labels="cityscapes-8")
    engine.input[:] = images[0]
    engine.invoke()
    spec = engine.output_spec
    real = (engine.output.astype(np.float32) - spec.zero_point) * spec.scale
    assert real.shape == logits.shape
    assert np.corrcoef(real.ravel(), logits.ravel())[0, 1] > 0.98
    mask = np.empty(SIZE[::-1], np.uint8)
    assert sum(Postprocess(engine).into(mask)) == mask.size
    assert set(np.unique(mask)) <= set(range(1, 8))


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="no JAX: pip install --group jax")
def test_networks_compute_the_same_on_jax(tmp_path: Path) -> None:
    names = ("fast_scnn", "segformer_b0", "lraspp_mobilenetv3")
    images, _ = frames(1)
    np.save(tmp_path / "images.npy", images.astype(np.float32))
    for name in names:
        keras.utils.set_random_seed(7)
        model = build_model(name, SIZE)
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", np.asarray(model(images.astype(np.float32))))
    script = (
        "import keras, numpy as np, sys, train.models\n"
        "assert keras.backend.backend() == 'jax'\n"
        "x = np.load('images.npy')\n"
        "for name in sys.argv[1:]:\n"
        "    model = keras.saving.load_model(name + '.keras')\n"
        "    np.testing.assert_allclose(model(x), np.load(name + '.npy'), atol=2e-4)\n"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    root = Path(__file__).parents[2]
    environment["PYTHONPATH"] = f"{root}:{environment.get('PYTHONPATH', '')}"
    command = [sys.executable, "-c", script, *names]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
