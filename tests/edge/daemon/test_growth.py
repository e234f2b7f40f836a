"""Nothing is left behind by a frame: no Python object, no page, over 100,000 frames."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roadmask
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.pipeline import open_pipeline
from roadmask.daemon.stage_times import StageTimes
from roadmask.stream.subscribe.subscriber import Subscriber

PRODUCT = str(Path(roadmask.__file__).parent / "*")  # the whole package


class Watched(StageTimes):
    """Takes two pictures of the allocations, in the thread that publishes."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(1000)
        self._at = {first, last}
        self._seen = 0
        self.snapshots: list[tracemalloc.Snapshot] = []

    def add(self, *stamps: int) -> None:
        super().add(*stamps)
        self._seen += 1
        if self._seen in self._at:
            gc.collect()
            self.snapshots.append(tracemalloc.take_snapshot())


@pytest.mark.parametrize("source", ["realtime=0", "fps=200"])
def test_no_allocation_survives_a_frame(shipped_model: Path, tmp_path: Path, source: str) -> None:
    """Both ways through the daemon: published beside the next inference, and in the loop."""
    frames = 200
    watched = Watched(60, 60 + frames)
    config = DaemonConfig(
        source=f"synthetic:town?seed=1&width=320&height=240&prerender=4&{source}",
        model=str(shipped_model),
        socket=str(tmp_path / "masks.sock"),
        frames=60 + frames,
        preview=True,
        confidence=True,
    )
    command = [sys.executable, "-m", "roadmask", "watch", "--socket", config.socket]
    with subprocess.Popen([*command, "--frames", "100000"], stderr=subprocess.DEVNULL) as reader:
        tracemalloc.start()
        try:
            with open_pipeline(config, times=watched) as pipeline:
                assert pipeline.run(threading.Event()) == 60 + frames
        finally:
            tracemalloc.stop()
            reader.terminate()
    first, last = (s.filter_traces([tracemalloc.Filter(True, PRODUCT)]) for s in watched.snapshots)
    grown = [d for d in last.compare_to(first, "lineno") if d.count_diff > 0]
    # What is under way differs from moment to moment by a few objects; one a frame would be 200.
    assert sum(d.count_diff for d in grown) < 60, "\n".join(map(str, grown[:10]))
    assert sum(d.size_diff for d in grown) < 16_384, "\n".join(map(str, grown[:10]))


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of a tenth of a millisecond: 100,000 frames in a minute or two."""
    tensorflow: Any = pytest.importorskip("tensorflow")
    from roadmask.inference.model_file import METADATA_NAME, ModelInfo, write_metadata

    keras = tensorflow.keras
    given = keras.Input((64, 96, 3), batch_size=1)
    made = keras.layers.Conv2D(8, 4, strides=4)(given)
    converter = tensorflow.lite.TFLiteConverter.from_keras_model(keras.Model(given, made))
    info = ModelInfo("tiny", "cityscapes-8", (96, 64), normalisation=(1 / 127.5, -1.0))
    path = tmp_path_factory.mktemp("model") / "tiny.tflite"
    data = write_metadata(converter.convert(), {METADATA_NAME: info.to_json().encode()})
    path.write_bytes(data)
    return path


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("source", ["realtime=0", "fps=1000"])
def test_memory_stays_as_it_is_over_100_000_frames(
    tiny_model: Path, tmp_path: Path, source: str
) -> None:
    frames, warm = 100_000, 5_000
    socket = tmp_path / "masks.sock"
    uri = f"synthetic:town?seed=1&width=320&height=240&prerender=4&{source}"
    command = [sys.executable, "-m", "roadmask", "run", "--source", uri, "--preview"]
    command += ["--model", str(tiny_model), "--socket", str(socket), "--confidence"]
    grown: list[int] = []
    with (
        subprocess.Popen(command) as process,
        Subscriber(socket, allow_not_live=True, max_age_ms=5000) as subscriber,
    ):
        try:
            base = descriptors = 0
            sequence = 0
            while sequence < frames:
                mask = subscriber.receive(timeout_s=60)
                assert mask is not None, subscriber.reason_text
                sequence = mask.sequence
                if not base and sequence >= warm:
                    base = resident_kib(process.pid)
                    descriptors = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
                elif base and sequence % 5000 < 10:
                    grown.append(resident_kib(process.pid) - base)
            assert len(list(Path(f"/proc/{process.pid}/fd").iterdir())) == descriptors
            grown.append(resident_kib(process.pid) - base)
        finally:
            process.terminate()
            process.wait(30)
    assert np.max(grown) <= 1024, grown
