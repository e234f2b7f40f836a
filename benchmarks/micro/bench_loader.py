"""Does the training wait for its data? The same steps fed by the loader and from memory.

Both ways go through ``train.data.prefetch`` into the same compiled step, turn by turn in one run;
in memory lie batches that were made before. ``ratio`` is what the loader leaves of the throughput,
by the clock; ``cpu_ratio`` the same by processor time of all threads, which other work on the
machine does not touch: where the processor is what trains, the throughput falls no lower than that.
Frames are files, in Cityscapes' layout; the loader's first round reads them from disk, the others
find them in its cache, as in a training of many epochs.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from roadmask.data.datasets import open_dataset
from roadmask.town.export import write_cityscapes

FRAMES, BATCH, ROUNDS, STEPS = 8, 8, 7, 4
CROP = (352, 288)
EXPECTED = 0.95  # of the throughput from memory, with the default recipe


def step(model: str) -> Callable[..., object]:
    """One optimiser step of that network of the zoo, compiled as a training compiles it."""
    import keras

    from train.losses import SegmentationLoss
    from train.models import build_model

    network = build_model(model, CROP)
    jit = "auto" if keras.backend.backend() != "tensorflow" else False
    network.compile("adamw", loss=SegmentationLoss(), jit_compile=jit)
    return network.train_on_batch  # type: ignore[no-any-return]


@pytest.mark.parametrize("model", ["roadnet"])
@pytest.mark.parametrize("recipe", ["full", "weather"])
def test_loader_beside_memory(
    benchmark: Callable[..., object], tmp_path: Path, model: str, recipe: str
) -> None:
    from train.data.loader import Batch, Part, TrainingData
    from train.data.prefetch import prefetch
    from train.data.recipes import DEFAULT_RECIPE, load_recipe

    write_cityscapes(tmp_path / "data", train=FRAMES, val=1, width=1024, height=512)
    dataset = open_dataset("cityscapes", tmp_path / "data", "train")
    data = TrainingData(
        [Part(dataset, STEPS * BATCH)],
        size=CROP,
        batch_size=BATCH,
        seed=1,
        recipe=load_recipe(recipe),
    )
    memory = [data[i] for i in range(STEPS)]
    train = step(model)
    train(*memory[0])

    def timed(load: Callable[[int], Batch]) -> tuple[float, float]:
        clock, cpu = time.perf_counter(), time.process_time()
        for images, masks in prefetch(load, range(STEPS)):
            train(images, masks)
        return time.perf_counter() - clock, time.process_time() - cpu

    ratios: list[tuple[float, float]] = []

    def once() -> None:
        data.on_epoch_end()
        # Which comes first changes: what the machine does beside falls on both.
        ways = [memory.__getitem__, data.__getitem__]
        order = (0, 1) if len(ratios) % 2 else (1, 0)
        seconds = {i: timed(ways[i]) for i in order}
        memory_s, loader_s = seconds[0], seconds[1]
        ratios.append((memory_s[0] / loader_s[0], memory_s[1] / loader_s[1]))

    benchmark.pedantic(once, rounds=ROUNDS, iterations=1)  # type: ignore[attr-defined]
    ratio, cpu_ratio = (statistics.median(column) for column in zip(*ratios, strict=True))
    extra = {
        "recipe": recipe,
        "ratio": ratio,
        "cpu_ratio": cpu_ratio,
        "ratios": ratios,
        "cpus": os.cpu_count(),
    }
    benchmark.extra_info.update(extra)  # type: ignore[attr-defined]
    print(json.dumps(extra))
    if recipe == DEFAULT_RECIPE:
        assert max(ratio, cpu_ratio) > EXPECTED
