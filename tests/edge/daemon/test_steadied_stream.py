"""``steady`` in the daemon: a fake camera, all else real; every mask is made again and compared."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from roadmask.arrays import U8
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.network import fit_network
from roadmask.daemon.outlet import SeenCamera, identity_of
from roadmask.daemon.pipeline import open_pipeline
from roadmask.inference.engine import Engine
from roadmask.inference.predictor import Predictor
from roadmask.inference.steady import Steady
from roadmask.sources import Frame, Source, SourceKind
from roadmask.stream.publish.frame_info import FrameInfo, Slot
from roadmask.stream.publish.publisher import Publisher
from roadmask.system.clock import now_ns
from roadmask.town.town import Town

FRAMES = 12


class NoisyCamera(Source):
    """A still scene with a sensor's noise, so old when it arrives."""

    kind = SourceKind.LIVE
    uri = name = "test:noisy"
    size = (320, 200)
    fps = 50.0

    def __init__(self, age_ns: int) -> None:
        self.images: dict[int, U8] = {}
        self._age_ns, self._tick = age_ns, threading.Event()
        self._rng = np.random.default_rng(1)
        self._scene = Town(1, 320, 200).frame(0).image // 2

    def read(self, timeout_s: float) -> Frame | None:
        self._tick.wait(0.02)  # never set: the camera's own clock
        number = len(self.images) + 1
        noise = self._rng.integers(0, 60, self._scene.shape, np.uint8)
        self.images[number] = self._scene + noise
        return Frame(self.images[number], now_ns() - self._age_ns, number, driver_time=True)

    def describe(self) -> str:
        return self.name


class KeptPublisher(Publisher):
    """Remembers what it published."""

    def begin(self) -> Slot:
        self.slot = super().begin()
        return self.slot

    def publish(self, info: FrameInfo) -> int:
        self.kept = [*getattr(self, "kept", []), (info, np.array(self.slot.mask))]
        return super().publish(info)


def published(
    folder: Path, model: Path, age_ns: int = 0
) -> tuple[dict[int, U8], list[tuple[FrameInfo, U8]]]:
    camera, engine = NoisyCamera(age_ns), Engine(model)
    config = DaemonConfig(max_age_ms=2000, frames=FRAMES, steady=0.9)
    publisher = KeptPublisher(
        folder / "masks.sock", mask_size=engine.input_size, max_age_ms=config.max_age_ms
    )
    with (
        publisher,
        open_pipeline(config, engine=engine, source=camera, publisher=publisher) as pipeline,
    ):
        assert pipeline.run(threading.Event()) == FRAMES
    return camera.images, publisher.kept


def test_masks_are_those_of_steadied_logits(tmp_path: Path, shipped_model: Path) -> None:
    images, kept = published(tmp_path, shipped_model)
    engine = Engine(shipped_model)
    predictor, steady, filtered = Predictor(engine), Steady(engine, 0.9), 0
    for info, mask in kept:
        alone = predictor.published(images[info.frame_id])
        logits = steady.of(engine.output, info.frame_id, info.capture_ns)
        np.testing.assert_array_equal(mask, predictor.draw(logits, engine.input_size))
        assert info.counts == tuple(np.bincount(mask.ravel(), minlength=8))
        filtered += int((mask != alone).sum())
    assert filtered > 0


def test_a_frame_after_one_that_may_not_be_used_counts_alone(
    tmp_path: Path, shipped_model: Path
) -> None:
    images, kept = published(tmp_path, shipped_model, age_ns=3_000_000_000)  # all are STALE
    predictor = Predictor(Engine(shipped_model))
    for info, mask in kept:
        np.testing.assert_array_equal(mask, predictor.published(images[info.frame_id]))


@pytest.mark.parametrize("strength", [0.0, 0.85])
def test_the_stream_says_that_it_is_steadied(shipped_model: Path, strength: float) -> None:
    network = fit_network(Engine(shipped_model), (320, 200), DaemonConfig(steady=strength))
    name = identity_of(network, SeenCamera("test:noisy", None)).verification.name
    assert name.startswith("verified: ")
    assert name.endswith("; steady 0.85") == bool(strength) and len(name) < 88
