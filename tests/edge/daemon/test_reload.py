"""SIGHUP: what can change in a running daemon does, the rest is named, nothing ends it."""

from __future__ import annotations

import signal
from pathlib import Path

from run_parts import running
from stream_parts import wait_for

from roadmask.inference.model_file import digest, model_path, read_model
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Subscriber

TOWN = "synthetic:town?seed=1&width=320&height=240&prerender=4&fps=60"


def write(file: Path, model: str = "m", **settings: str) -> None:
    lines = [f"{key} = {value}" for key, value in settings.items()]
    file.write_text("\n".join(["[daemon]", f'source = "{TOWN}"', f'model = "{model}"', *lines]))


def test_what_can_change_does_and_the_rest_is_named(tmp_path: Path) -> None:
    path, file = tmp_path / "masks.sock", tmp_path / "daemon.toml"
    write(file)
    with (
        running(path, "--config", str(file), "--budget-ms", "1000") as daemon,
        Subscriber(str(path), **TAKE_EVERYTHING) as stream,
    ):
        first = wait_for(lambda: stream.receive(timeout_s=0.1), "a mask")
        write(file, threads="2", max_age_ms="300", max_fps="30.0")
        daemon.signal(signal.SIGHUP)
        daemon.said("reload: max_age_ms, threads: only after a restart")
        daemon.said("reload: max_fps changed")
        write(file, max_fps='"many"')
        daemon.signal(signal.SIGHUP)
        daemon.said("max_fps = 'many'; expected")
        daemon.said("all stays as it was")
        write(file, "s", max_fps="30.0")
        daemon.signal(signal.SIGHUP)
        daemon.said("reload: model changed")
        wanted = digest(read_model(model_path("s")))

        def comes() -> bool:
            mask = stream.receive(timeout_s=0.1)
            if mask is None or mask.model is None:
                return False
            assert mask.stream_id == first.stream_id
            return mask.model.digest.hex() == wanted

        wait_for(comes, "a mask of the other model")


def test_a_reload_before_the_first_frame_ends_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "masks.sock", "--source", "v4l2:/dev/video99") as daemon:
        daemon.said("waiting for it")
        daemon.signal(signal.SIGHUP)
        daemon.signal(signal.SIGTERM)
        assert daemon.process.wait(20) == 0
