"""What the real daemon makes of bad cameras, and what a default subscriber makes of the daemon."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from client_parts import LANGUAGES, Reader, reader
from stream_parts import wait_for

from roadmask.stream.modes import NoMask
from roadmask.tools.faults import camera
from roadmask.tools.faults.camera import Camera

rng = np.random.default_rng(11)


def black(image: np.ndarray) -> np.ndarray:
    """A covered lens: what is left is the sensor's noise, another one in each picture."""
    return np.clip(rng.normal(8, 8, image.shape), 0, 255).astype(np.uint8)


@contextmanager
def daemon(path: Path, *source: str) -> Iterator[None]:
    command = [sys.executable, "-m", "roadmask", "run", "--socket", str(path), "--model", "s"]
    command += ["--max-age-ms", "60000", "--source", *source, "--live"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
        try:
            yield
        finally:
            running.kill()


def test_a_frozen_camera_and_a_black_lens_give_no_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The age is no help: every picture's stamp is of now."""
    monkeypatch.setitem(camera._LOOKS, "black", black)
    path = tmp_path / "masks.sock"
    with (
        Camera() as seen,
        daemon(path, seen.url, "--latency-ms", "50"),
        reader("python", path, max_age_ms=60_000) as python,
        reader("cpp", path, max_age_ms=60_000) as cpp,
    ):
        for does, reason, *names in (
            ("frozen", NoMask.STALE, "FROZEN"),
            ("black", NoMask.REFUSED, "DARK", "BLOCKED"),
        ):
            seen.does = "good"
            for ours in (python, cpp):
                wait_for(ours.look, f"a mask before {does}")
            seen.does = does
            for ours in (python, cpp):

                def refused(
                    ours: Reader = ours, why: NoMask = reason, names: list[str] = names
                ) -> bool:
                    named = not ours.look() and any(name in ours.text for name in names)
                    return named and ours.reason is why

                wait_for(refused, does)


def test_a_camera_of_unknown_latency_gives_no_mask(tmp_path: Path) -> None:
    path = tmp_path / "masks.sock"
    with Camera() as seen, daemon(path, seen.url):
        for language in LANGUAGES:
            with (
                reader(language, path, max_age_ms=60_000, accept_unknown_age=True) as bold,
                reader(language, path, max_age_ms=60_000) as ours,
            ):
                wait_for(bold.look, f"{language}: a mask for who asks for it")

                def refused() -> bool:
                    assert not ours.look()
                    return ours.reason is NoMask.AGE_UNKNOWN

                wait_for(refused, f"{language}: age unknown")
