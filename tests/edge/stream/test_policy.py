"""What each subscriber refuses, and by which name: one sentence, one test, both languages."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client_parts import LANGUAGES, Reader, reader
from cpp_parts import REPOSITORY
from stream_parts import (
    PUBLISHER,
    drain,
    frame_info,
    let_silence_be,
    process,
    publish,
    wait_for,
)

from roadmask.errors import ConfigError
from roadmask.stream import modes
from roadmask.stream.modes import REFUSED_BY_DEFAULT, Flag, Mode, NoMask, Reason, names
from roadmask.stream.protocol import Identity, IdentityKind
from roadmask.stream.publish.publisher import Publisher, RingForm, StreamIdentity
from roadmask.stream.subscribe.policy import TAKE_EVERYTHING, Policy, PolicyOptions
from roadmask.stream.subscribe.subscriber import Subscriber
from roadmask.system.clock import now_ns

REFUSED = [reason for reason in Reason if reason in REFUSED_BY_DEFAULT and reason]
BORNE = [reason for reason in Reason if reason and reason not in REFUSED_BY_DEFAULT]
MODEL = hashlib.sha256(b"the model").digest()


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "masks.sock"


def verdict(publisher: Publisher, client: Reader, view: bool = False, **frame: Any) -> NoMask:
    """What the client says of a frame that has just been published."""

    def judged() -> bool:
        publish(publisher, **frame)
        (client.view if view else client.look)()
        # It may not be connected yet, or this machine was too busy.
        passing = (NoMask.NOT_CONNECTED, NoMask.AWAITING_WELCOME, NoMask.NO_FRAME)
        return client.reason not in (*passing, NoMask.SILENT, NoMask.TOO_OLD, NoMask.OVERWRITTEN)

    wait_for(judged, "a verdict")
    return client.reason


@pytest.mark.parametrize("view", [False, True])
def test_every_refused_reason_is_refused_by_its_name(path: Path, language: str, view: bool) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, reader(language, path) as client:
        for reason in REFUSED:
            said = verdict(publisher, client, view, mode=Mode.DEGRADED, reasons=reason)
            # Of a picture that repeats, the stamps say nothing.
            assert said is (NoMask.STALE if reason is Reason.FROZEN else NoMask.REFUSED), reason
            assert names(reason) in client.text
        for reason in BORNE:
            said = verdict(publisher, client, view, mode=Mode.DEGRADED, reasons=reason)
            assert said is NoMask.NONE, reason


def test_a_mode_of_ok_excuses_no_reason(path: Path, language: str) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, reader(language, path) as client:
        assert verdict(publisher, client, mode=Mode.OK, reasons=Reason.DARK) is NoMask.REFUSED


def test_a_reason_that_comes_after_the_frame_counts_too(path: Path, language: str) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, reader(language, path) as client:
        assert verdict(publisher, client) is NoMask.NONE
        publish(publisher)
        publisher.set_mode(Mode.DEGRADED, Reason.BLOCKED)
        assert not client.look()
        assert client.reason in (NoMask.REFUSED, NoMask.TOO_OLD, NoMask.SILENT)


def test_what_is_refused_can_be_chosen(path: Path, language: str) -> None:
    with (
        Publisher(path, mask_size=(8, 8)) as publisher,
        reader(language, path, refuse=Reason.UNVERIFIED | Reason.LOW_RATE) as client,
    ):
        assert verdict(publisher, client, reasons=Reason.UNVERIFIED) is NoMask.REFUSED
        said = Reason.LOW_RATE | Reason.DARK
        assert verdict(publisher, client, reasons=said) is NoMask.REFUSED
        assert "LOW_RATE" in client.text and "DARK" not in client.text
        assert verdict(publisher, client, reasons=Reason.FROZEN) is NoMask.NONE


def test_nothing_is_refused_where_nothing_is_listed(path: Path, language: str) -> None:
    with (
        Publisher(path, mask_size=(8, 8)) as publisher,
        reader(language, path, refuse=Reason.NONE) as client,
    ):
        for reason in REFUSED:
            assert verdict(publisher, client, reasons=reason) is NoMask.NONE


def test_an_unknown_age_is_refused_unless_accepted(path: Path, language: str) -> None:
    with (
        Publisher(path, mask_size=(8, 8)) as publisher,
        reader(language, path) as client,
        reader(language, path, accept_unknown_age=True) as bold,
    ):
        assert verdict(publisher, client, flags=Flag.AGE_UNKNOWN) is NoMask.AGE_UNKNOWN
        assert verdict(publisher, bold, flags=Flag.AGE_UNKNOWN) is NoMask.NONE

        def too_old() -> bool:  # by its arrival
            arrived = now_ns() - 260_000_000
            publish(publisher, flags=Flag.AGE_UNKNOWN, capture_ns=arrived)
            return not bold.look() and bold.reason is NoMask.TOO_OLD

        wait_for(too_old, "too old")


def test_an_accepted_unknown_age_is_marked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_silence_be(monkeypatch)
    with (
        Publisher(path, mask_size=(8, 8), max_age_ms=60_000) as publisher,
        Subscriber(path, accept_unknown_age=True, max_age_ms=60_000) as subscriber,
    ):
        subscriber.latest()
        arrived = now_ns()
        publish(publisher, flags=Flag.AGE_UNKNOWN, capture_ns=arrived)
        mask = subscriber.latest()
        assert mask is not None and not mask.age_known
        assert mask.capture_timestamp_ns == arrived and mask.valid and mask.age_ns > 0


def test_only_the_pinned_model_is_taken(path: Path, language: str) -> None:
    identity = StreamIdentity(model=Identity("street-s", MODEL))
    with (
        Publisher(path, mask_size=(8, 8), identity=identity) as publisher,
        reader(language, path, model=MODEL.hex()) as right,
        reader(language, path, model=MODEL.hex().upper()) as upper,
        reader(language, path, model="00" * 32) as wrong,
    ):
        assert verdict(publisher, right) is NoMask.NONE
        assert verdict(publisher, upper) is NoMask.NONE
        assert verdict(publisher, right, view=True) is NoMask.NONE
        assert verdict(publisher, wrong) is NoMask.WRONG_MODEL
        assert verdict(publisher, wrong, view=True) is NoMask.WRONG_MODEL
        other = publisher.add_identity(IdentityKind.MODEL, Identity("street-s", bytes(32)))
        swapped = {"identity": (other, 1, 2, 3, 4, 5, 6)}
        assert verdict(publisher, right, **swapped) is NoMask.WRONG_MODEL
        assert verdict(publisher, wrong, **swapped) is NoMask.NONE
        # A digest of another kind, and none at all, are no model's.
        camera = publisher.add_identity(IdentityKind.CAMERA, Identity("street-s", MODEL))
        for index in (camera, 255):
            said = verdict(publisher, right, identity=(index, 1, 2, 3, 4, 5, 6))
            assert said is NoMask.WRONG_MODEL


@pytest.mark.parametrize("model", ["00" * 31, "zz" * 32, "0x" + "00" * 31])
def test_a_digest_that_is_none_matches_nothing(path: Path, model: str) -> None:
    with pytest.raises(ConfigError, match="64 hexadecimal digits"):
        Subscriber(path, model=model)
    identity = StreamIdentity(model=Identity("street-s", MODEL))
    with (
        Publisher(path, mask_size=(8, 8), identity=identity) as publisher,
        reader("cpp", path, model=model) as client,
    ):
        assert verdict(publisher, client) is NoMask.WRONG_MODEL


@pytest.mark.parametrize("socket_path", ["", "\0roadmask", "/tmp/a\0b"])
def test_a_path_outside_of_every_folder_is_refused(socket_path: str) -> None:
    """Python here; the C++ twin cannot be given a NUL by a command line, see below."""
    with Subscriber(socket_path) as subscriber:
        assert subscriber.latest() is None and subscriber.reason is NoMask.MALFORMED
        assert subscriber.error is not None and subscriber.error.check == "socket"


def test_cpp_refuses_an_empty_path() -> None:
    with reader("cpp", "") as client:
        assert not client.look() and client.reason is NoMask.MALFORMED
        assert "path is empty" in client.text


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
NOBODY = 65534
AS_NOBODY = PUBLISHER.replace(
    "path, rate =",
    f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\npath, rate =",
)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder like /tmp: root's, and anybody may write."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o1777)
        yield Path(name)


@pytest.fixture
def foreign(shared: Path) -> Iterator[Path]:
    """The socket of a publisher that runs as another user; everybody may connect."""
    path = shared / "masks.sock"
    script = AS_NOBODY.replace("mask_size=", "access=Access(mode_bits=0o666), mask_size=")
    script = script.replace("import FrameInfo,", "import Access, FrameInfo,")
    with process(script, path, 60) as running:
        assert running.stdout is not None and running.stdout.readline().strip() == "1"
        drain(running)
        yield path


@as_root
def test_a_foreign_publisher_is_refused(foreign: Path, language: str) -> None:
    with reader(language, foreign) as client:
        for _ in range(3):
            wait_for(lambda: not client.look(), "no mask")
            wait_for(
                lambda: client.look() or client.reason is NoMask.FOREIGN_PUBLISHER, "a verdict"
            )
            assert client.reason is NoMask.FOREIGN_PUBLISHER
        assert f"user {NOBODY}, expected 0, root" in client.text


@as_root
@pytest.mark.parametrize("user", [str(NOBODY), "nobody"])
def test_a_named_publisher_is_taken(foreign: Path, language: str, user: str) -> None:
    with reader(language, foreign, publisher_user=user) as client:
        wait_for(client.look, "a mask")


@as_root
def test_the_owner_of_the_folder_is_taken(foreign: Path, language: str) -> None:
    os.chown(foreign.parent, NOBODY, -1)
    with reader(language, foreign) as client:
        wait_for(client.look, "a mask")


@pytest.mark.parametrize("user", ["4294967294", "no-such-user"])
def test_who_is_named_is_the_only_one(path: Path, language: str, user: str) -> None:
    with (
        Publisher(path, mask_size=(8, 8)) as publisher,
        reader(language, path, publisher_user=user) as client,
    ):
        assert verdict(publisher, client) is NoMask.FOREIGN_PUBLISHER
        assert user in client.text


def test_a_publisher_that_falls_silent_before_its_first_frame(path: Path, language: str) -> None:
    with Publisher(path, mask_size=(8, 8)) as publisher, reader(language, path) as client:
        client.look()
        publisher.heartbeat()
        wait_for(lambda: client.look() or client.reason is NoMask.SILENT, "silence")
        publisher.heartbeat()
        wait_for(
            lambda: publisher.heartbeat() or client.look() or client.reason is NoMask.NO_FRAME,
            "a sign of life",
        )
        assert "FAULT: STARTING" in client.text


def test_a_mask_whose_checksum_differs_is_refused(path: Path, language: str) -> None:
    form = RingForm(checksum=True)
    with (
        Publisher(path, mask_size=(8, 8), form=form) as publisher,
        reader(language, path) as client,
    ):
        assert verdict(publisher, client) is NoMask.NONE

        def damaged() -> bool:
            slot = publisher.begin()
            slot.mask[:] = 5
            publisher.publish(frame_info())
            slot.mask[0, 0] = 4  # after its checksum was computed
            return not client.look() and client.reason is NoMask.MALFORMED

        wait_for(damaged, "a checksum that differs")
        assert "CRC-32C" in client.text


def test_what_cannot_be_refused_is_said() -> None:
    with pytest.raises(ConfigError, match="expected Reason"):
        Policy(refuse=["FROZEN"])  # type: ignore[list-item]
    some = Policy(refuse={Reason.FROZEN, Reason.DARK}), Policy(refuse=Reason.FROZEN | Reason.DARK)
    assert some[0].refused == some[1].refused == Reason.FROZEN | Reason.DARK


def test_every_option_of_the_policy_is_a_keyword() -> None:
    assert set(PolicyOptions.__annotations__) == set(Policy.__dataclass_fields__)


def test_both_refuse_the_same_by_default() -> None:
    header = (REPOSITORY / "edge/cpp/include/roadmask/modes.hpp").read_text()
    body = re.search(r"kRefusedByDefault =([^;]+);", header)
    assert body is not None
    assert set(re.findall(r"\w+", body[1])) == {reason.name for reason in REFUSED}
    assert modes.REFUSED_BY_DEFAULT & modes.Reason.FROZEN


def test_who_takes_everything_marks_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    let_silence_be(monkeypatch)
    with (
        Publisher(path, mask_size=(8, 8), max_age_ms=60_000) as publisher,
        Subscriber(path, max_age_ms=60_000, **TAKE_EVERYTHING) as console,
    ):
        console.latest()
        flags = Flag.AGE_UNKNOWN | Flag.FILE
        publish(publisher, mode=Mode.DEGRADED, reasons=REFUSED_BY_DEFAULT, flags=flags)
        mask = console.latest()
        assert mask is not None and mask.reasons == REFUSED_BY_DEFAULT
        assert not mask.live and not mask.age_known


@pytest.mark.parametrize(
    "module", ["tools/watch", "tools/top", "tools/demo", "web/live/hub", "bridge/relay"]
)
def test_our_own_viewers_take_everything_by_the_one_list(module: str) -> None:
    text = (REPOSITORY / "edge" / "roadmask" / f"{module}.py").read_text()
    assert "**TAKE_EVERYTHING" in text and "allow_not_live" not in text
