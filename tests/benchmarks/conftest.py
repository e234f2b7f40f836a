"""The small network of the zoo as an INT8 file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from roadmask.inference.model_file import METADATA_NAME, ModelInfo, write_metadata


@pytest.fixture(scope="session")
def int8_file(keras_file: Path) -> Path:
    from convert.quantise.converter import to_int8
    from convert.quantise.graph import export_graph
    from train.keras_file import load_keras

    graph = export_graph(load_keras(keras_file))
    rng = np.random.default_rng(4)
    samples = [rng.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(2)]
    info = ModelInfo("tiny", "cityscapes-8", graph.input_size, normalisation=graph.normalisation)
    model = write_metadata(to_int8(graph, samples), {METADATA_NAME: info.to_json().encode()})
    path = keras_file.with_suffix(".tflite")
    path.write_bytes(model)
    return path
