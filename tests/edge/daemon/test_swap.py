"""Another network in a running daemon: in the same stream, and taken back when it does not do."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from run_parts import Running, running
from stream_parts import wait_for

from roadmask.cli.main import main
from roadmask.inference.model_file import model_path, read_model
from roadmask.models_store.store import Installed, Store
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING
from roadmask.stream.subscribe.subscriber import Mask, Subscriber

TOWN = "synthetic:town?seed=1&width=320&height=240&prerender=4&fps=60"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three sizes, of which the middle one runs."""
    store = Store(tmp_path / "store")
    for name in ("s", "m", "l"):
        store.install(model_path(name), [], unsigned=True)
    store.switch(store.find("roadlite-384x256"))
    return store


def current(store: Store) -> str:
    return str(store.root / "current" / "model.tflite")


def next_of(stream: Subscriber, model: Installed) -> Mask:
    def come() -> Mask | None:
        mask = stream.receive(timeout_s=0.1)
        return mask if mask and mask.model and mask.model.digest.hex() == model.digest else None

    return wait_for(come, f"a mask of {model.name}")


def test_a_switch_reaches_the_running_daemon_in_the_same_stream(
    tmp_path: Path, store: Store
) -> None:
    """A larger mask than it started with: the ring has the room."""
    path = tmp_path / "masks.sock"
    with (
        running(path, "--source", TOWN, "--model", current(store), "--budget-ms", "1000"),
        Subscriber(str(path), **TAKE_EVERYTHING) as stream,
    ):
        first = next_of(stream, store.find("roadlite-384x256"))
        assert first.size == (384, 256)
        store.switch(store.find("roadlite-512x384"))
        mask = next_of(stream, store.find("roadlite-512x384"))
        assert mask.size == (512, 384) and mask.stream_id == first.stream_id
        assert (mask.pixels > 0).any()
        assert mask.verification and mask.verification.name.startswith("verified")


@pytest.mark.slow
def test_the_command_waits_for_the_daemon_and_takes_a_switch_back(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    path, file = tmp_path / "masks.sock", tmp_path / "daemon.toml"
    file.write_text(
        f'[daemon]\nsource = "{TOWN}"\nmodel = "{current(store)}"\nbudget_ms = 1000.0\n'
    )
    switch = ["models", "switch", "--budget-ms", "1000", f"--store={store.root}"]
    switch += ["--socket", str(path)]
    with (
        running(path, "--config", str(file)) as daemon,
        Subscriber(str(path), **TAKE_EVERYTHING) as stream,
    ):
        next_of(stream, store.find("roadlite-384x256"))
        assert main([*switch, "roadlite-288x224"]) == 0
        file.write_text(file.read_text().replace("1000.0", "0.1"))
        daemon.signal(signal.SIGHUP)
        daemon.said("budget_ms changed")
        daemon.said("took over")
        assert main([*switch, "roadlite-512x384", "--wait", "20"]) == 1
        assert "roadlite-288x224 is current again" in capsys.readouterr().err
        daemon.said("the model stays what it is")
        now = store.current()
        assert now is not None and now.name == "roadlite-288x224"
        next_of(stream, now)


@pytest.mark.slow
def test_a_model_that_is_too_slow_or_damaged_stays_outside(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "masks.sock"
    model = store.find("roadlite-512x384")
    with (
        running(path, "--source", TOWN, "--model", current(store), "--budget-ms", "0.1") as daemon,
        Subscriber(str(path), **TAKE_EVERYTHING) as stream,
    ):
        next_of(stream, store.find("roadlite-384x256"))
        store.switch(model)
        daemon.said("the model stays what it is: model roadlite-512x384 takes")
        damaged = bytearray(read_model(model_path("s")))
        damaged[len(damaged) // 2] ^= 1
        bad = tmp_path / "roadlite-288x224.tflite"
        bad.write_bytes(damaged)
        shutil.copyfile(bad, store.find("roadlite-288x224").path)
        store.switch(store.find("roadlite-288x224"))
        daemon.said("the model stays what it is: model", 2)
        next_of(stream, store.find("roadlite-384x256"))


def memories(daemon: Running) -> int:
    """How many networks' tensors it maps."""
    links = []
    for link in Path(f"/proc/{daemon.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            links.append(str(link.readlink()))
    return sum("roadmask-tensors" in link for link in links)


def test_a_model_that_is_lost_on_probation_is_taken_back(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "masks.sock"
    with (
        running(path, "--source", TOWN, "--model", current(store), "--budget-ms", "1000") as daemon,
        Subscriber(str(path), **TAKE_EVERYTHING) as stream,
    ):
        before = next_of(stream, store.find("roadlite-384x256"))
        held = memories(daemon)
        store.switch(store.find("roadlite-288x224"))
        next_of(stream, store.find("roadlite-288x224"))
        os.kill(daemon.engines()[-1], signal.SIGKILL)
        daemon.said("is given up for")
        again = next_of(stream, store.find("roadlite-384x256"))
        assert again.stream_id == before.stream_id and again.size == (384, 256)
        # The tensors of each one that was given up were kept until the daemon's end.
        wait_for(lambda: memories(daemon) <= held, "the other's memory is let go")
