"""How far correct arithmetic may be off, as the network itself tells."""

from pathlib import Path

import numpy as np

from convert.judge.golden_frames import make_golden
from roadmask.inference.engine import Engine
from roadmask.inference.golden import TOLERANCE_STEPS, verify


def test_a_network_that_amplifies_rounding_has_its_own_tolerance(tmp_path: Path) -> None:
    from convert.tensorflow_import import import_tensorflow

    import_tensorflow()
    import keras

    from convert.quantise.converter import to_int8
    from convert.quantise.graph import export_graph

    image = keras.Input((64, 96, 3))
    window = keras.layers.Conv2D(1, 1, activation="relu6")
    classes = keras.layers.Conv2D(8, 1, use_bias=False)
    network = keras.Model(image, classes(window(image)))
    # Grey values of 100 to 110 become 0 to 6, and those logits of -6 to 6 in 255 steps: one step
    # of a pixel is 0.6, or 12.75 steps of the logits.
    window.set_weights([np.full((1, 1, 3, 1), 0.2), np.array([-60.0])])
    classes.set_weights([np.linspace(-1, 1, 8)[None, None, None]])
    rng = np.random.default_rng(1)
    samples = [rng.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(2)]
    file = tmp_path / "window.tflite"
    file.write_bytes(to_int8(export_graph(network), samples))
    engine = Engine(file, labels="cityscapes-8")
    golden = make_golden(engine)
    assert TOLERANCE_STEPS < 24 < golden.tolerance / golden.scale < 30
    assert all(verdict.passed for verdict in verify(engine, golden))
