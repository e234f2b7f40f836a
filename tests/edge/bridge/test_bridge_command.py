"""``roadmask bridge`` and ``roadmask watch --zenoh`` as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bridge_parts import KEY, bridge, free_endpoint, publisher

from roadmask.bridge.subscriber import RemoteSubscriber
from roadmask.errors import ConfigError
from roadmask.stream.modes import Flag

pytest.importorskip("zenoh", reason="the extra [zenoh] is not installed")


def roadmask(*arguments: object) -> subprocess.CompletedProcess[str]:
    script = "import sys; from roadmask.cli.main import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def test_watch_at_the_far_end(tmp_path: Path) -> None:
    path, endpoint = tmp_path / "masks.sock", free_endpoint()
    report = tmp_path / "seen.json"
    with publisher(path, Flag.SYNTHETIC), bridge(path, endpoint):
        seen = roadmask(
            "watch", "--zenoh", KEY, "--connect", endpoint, "--frames", 3,
            "--wait", 60, "--save", tmp_path / "masks", "--json", report,
        )  # fmt: skip
    assert seen.returncode == 0, seen.stderr
    assert json.loads(report.read_text())["frames"] == 3
    assert len(list((tmp_path / "masks").glob("*.png"))) == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("bridge", "--zenoh", "car/*"), "without wildcards"),
        (("bridge", "--zenoh", "car//front"), "names parted by '/'"),
        (("bridge", "--zenoh", KEY, "--connect", "nonsense"), "expected e.g. tcp/127.0.0.1:7447"),
        (("bridge", "--zenoh", KEY, "--connect", "tcp/host"), "expected e.g. tcp/127.0.0.1:7447"),
        (("bridge", "--zenoh", KEY, "--listen", "tcp/192.0.2.1:7"), "cannot use tcp/192.0.2.1:7"),
        (("bridge", "--zenoh", KEY, "--max-rate", "-1"), "--max-rate -1"),
        (("watch", "--zenoh", "/car"), "names parted by '/'"),
        (("watch", "--zenoh", KEY, "--socket", "x"), "--socket or --zenoh"),
        (("watch", "--connect", "tcp/127.0.0.1:1"), "--zenoh"),
    ],
)
def test_unusable_arguments_are_one_line(arguments: tuple[str, ...], expected: str) -> None:
    result = roadmask(*arguments)
    assert result.returncode == 2
    assert expected in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_a_watch_that_nothing_reaches_says_what_to_do() -> None:
    result = roadmask("watch", "--zenoh", KEY, "--connect", free_endpoint(), "--wait", "0")
    assert result.returncode == 2
    assert "'roadmask bridge --zenoh car/front' there" in result.stderr.splitlines()[-1]


def test_the_far_end_cannot_ask_who_publishes() -> None:
    with pytest.raises(ConfigError, match="publisher_user: the bridge asks"):
        RemoteSubscriber(KEY, publisher_user="roadmask")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zenoh", None)
    with pytest.raises(ConfigError, match=r"pip install 'roadmask\[zenoh\]'"):
        RemoteSubscriber(KEY)
