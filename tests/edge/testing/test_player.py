"""The conformance kit: what the default subscribers make of each scene."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from client_parts import LANGUAGES, reader
from stream_parts import wait_for

from roadmask.cli.main import main
from roadmask.errors import ConfigError
from roadmask.stream.modes import NoMask
from roadmask.stream.protocol import encode
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.testing import SCENES, RawPublisher, StreamPlayer
from roadmask.testing.raw_publisher import good_frame, good_welcome
from roadmask.testing.scenes import BROKEN

SAYS = {
    "dark": NoMask.REFUSED,
    "blocked": NoMask.REFUSED,
    "frozen": NoMask.STALE,
    "old": NoMask.TOO_OLD,
    "unknown-age": NoMask.AGE_UNKNOWN,
    "file": NoMask.NOT_LIVE,
    "stale": NoMask.STALE,
    "lost": NoMask.FAULT,
    "silent": NoMask.SILENT,
    "torn": NoMask.OVERWRITTEN,
    "hostile": NoMask.MALFORMED,
    "flood": NoMask.NO_FRAME,
    "sparse": NoMask.MALFORMED,
    "mute": NoMask.AWAITING_WELCOME,
}
GIVES = {"ok", "degraded", "restarted"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scene", SCENES)
def test_each_scene_is_answered_as_documented(tmp_path: Path, scene: str, language: str) -> None:
    path = tmp_path / "m.sock"
    with StreamPlayer(path, (64, 48)) as player, reader(language, path, max_age_ms=250) as ours:

        def good() -> bool:
            player.play("ok", 0)
            return ours.look()

        wait_for(good, "a good stream")
        former = player.publisher.stream_id
        if scene in GIVES:
            player.play(scene, 0)
            wait_for(good, "masks go on")
            assert (player.publisher.stream_id != former) == (scene == "restarted")
            return

        def answered() -> bool:
            player.play(scene, 0)
            return not ours.look() and ours.reason == SAYS[scene]

        wait_for(answered, scene)
        wait_for(good, "a good stream again")


def test_every_scene_has_its_answer() -> None:
    assert set(SAYS) | GIVES == set(SCENES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_hostile_record_is_refused(tmp_path: Path, language: str) -> None:
    path = tmp_path / "m.sock"
    with RawPublisher(path) as raw, reader(language, path) as ours:
        for changes in BROKEN:

            def refused(changes: dict[str, Any] = changes) -> bool:
                raw.serve((encode(good_welcome()), [raw.sealed]))
                raw.send(encode(good_frame(**changes)))
                return not ours.look() and ours.reason is NoMask.MALFORMED

            wait_for(refused, str(changes))
            wait_for(lambda: not ours.look() and ours.reason is not NoMask.MALFORMED, "a retry")


def test_an_unknown_scene_names_the_known_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StreamPlayer(tmp_path / "m.sock") as player, pytest.raises(ConfigError, match="hostile"):
        player.play("nice")
    assert main(["testing", "--socket", str(tmp_path / "m.sock"), "ok:x"]) == 2
    assert "expected NAME or NAME:SECONDS" in capsys.readouterr().err


def test_the_command_plays_a_script(tmp_path: Path) -> None:
    path = tmp_path / "m.sock"
    script = ["testing", "--socket", str(path), "ok:2", "frozen:0.2"]
    thread = threading.Thread(target=main, args=(script,))
    thread.start()
    with Subscriber(path) as subscriber:
        wait_for(lambda: subscriber.receive(timeout_s=0.1), "a mask")
    thread.join(60)
    assert not thread.is_alive() and not path.exists()
