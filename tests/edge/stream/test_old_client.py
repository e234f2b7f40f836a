"""The C++ client of protocol 1.1 itself, built from the sources of its time, reads today's stream.

Minutes on a busy machine: ``client_1_1.py`` has its verdict for every run of the tests.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from cpp_parts import REPOSITORY, Driven, tool
from stream_parts import frame_info, wait_for

from roadmask.stream.camera_geometry import CameraGeometry
from roadmask.stream.modes import Flag, Mode, NoMask, Reason
from roadmask.stream.protocol import Identity
from roadmask.stream.publish.publisher import Publisher, StreamIdentity
from roadmask.system.clock import now_ns

COMMIT = "39bab84"  # the last one that spoke 1.1
SOURCES = ("edge/cpp/include", "edge/cpp/src", "tests/cpp")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def old_probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("protocol-1.1")
    archive = [tool("git"), "-C", str(REPOSITORY), "archive", COMMIT, *SOURCES]
    told = subprocess.run(archive, capture_output=True)
    if told.returncode:
        pytest.skip(f"a clone without commit {COMMIT}")
    with tarfile.open(fileobj=io.BytesIO(told.stdout)) as sources:
        sources.extractall(folder, filter="data")
    headers = (folder / "edge/cpp/include/roadmask").glob("*.hpp")
    assert not any("AGE_UNKNOWN" in header.read_text() for header in headers), "1.2 knows it"
    sources_of_it = sorted(map(str, (folder / "edge/cpp/src").glob("*.cpp")))
    probe = folder / "probe"
    include = f"-I{folder / 'edge/cpp/include'}"
    command = [tool("c++"), "-std=c++17", "-O1", include, str(folder / "tests/cpp/probe.cpp")]
    subprocess.run([*command, *sources_of_it, "-o", str(probe)], check=True)
    return probe


def test_a_client_of_1_1_goes_on(tmp_path: Path, old_probe: Path) -> None:
    """Good frames arrive with all that 1.1 knows; what has no age is refused, whatever is asked."""
    path = tmp_path / "masks.sock"
    front = CameraGeometry.pinhole((1280, 720), 60.0, 1.3)
    identity = StreamIdentity(
        model=Identity("street-s", b"\1" * 32),
        verification=Identity("verified", b"\2" * 32),
        geometry=Identity("front", front.digest, body=front.body),
    )
    with Publisher(path, mask_size=(64, 32), identity=identity) as publisher:
        publisher.engine_restarts = 3
        old = Driven(str(old_probe), str(path), "--allow-not-live")

        def answer(**told: object) -> list[str]:
            publisher.begin().mask[:] = 5
            publisher.publish(frame_info(**told))
            publisher.heartbeat()
            return old.ask("latest").split(" ")

        def given(**told: object) -> dict[str, str]:
            def mask() -> dict[str, str]:
                kind, *fields = answer(**told)
                return dict(f.split("=", 1) for f in fields) if kind == "mask" else {}

            found = wait_for(mask, "a mask")
            assert isinstance(found, dict)
            return found

        def refused(reason: NoMask, **told: object) -> None:
            """By that name, and no mask on the way there."""

            def named() -> bool:
                kind, number, *_ = answer(**told)
                assert kind == "none"
                return number == str(int(reason))

            wait_for(named, reason.name)

        found = given()
        assert (found["value"], found["uniform"], found["mode"]) == ("5", "1", "OK")
        assert found["model"] == "street-s"
        # Reasons that it does not know are the mode's.
        later = Reason.UNVERIFIED | Reason.REDUCED
        assert given(mode=Mode.DEGRADED, reasons=later)["mode"] == "DEGRADED"
        refused(NoMask.FUTURE, flags=Flag.AGE_UNKNOWN)
        refused(NoMask.FUTURE, flags=Flag.AGE_UNKNOWN, capture_ns=now_ns())
        refused(NoMask.STALE, mode=Mode.STALE, reasons=Reason.FROZEN)
        assert given()["mode"] == "OK"
        old.close()
