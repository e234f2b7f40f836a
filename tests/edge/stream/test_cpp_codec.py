"""Both codecs say the same of the same bytes: the golden vectors, and any others."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from cpp_parts import REPOSITORY, Driven, driven
from hypothesis import given, settings
from hypothesis import strategies as st
from message_parts import FRAME, NOW_NS, WELCOME

from roadmask._native import crc32c
from roadmask.errors import Check, ProtocolError
from roadmask.stream import modes
from roadmask.stream.camera_geometry import CameraGeometry, geometry_of
from roadmask.stream.checks import check_frame, check_message, check_welcome
from roadmask.stream.protocol import (
    FrameHeader,
    IdentityKind,
    Message,
    Welcome,
    decode,
    decode_identity,
    decode_stages,
    encode,
    encode_identity,
    encode_stages_into,
)

GOLDEN = REPOSITORY / "tests" / "data" / "protocol" / "golden.tsv"
HEADERS = REPOSITORY / "edge" / "cpp" / "include" / "roadmask"
FROZEN = 43  # vectors of the minor versions 0 to 2
FROZEN_SHA256 = "78cc65326a985e02cd883628d9cac3d2d410681b01bd93c2ddd046f6d319c4f5"
# Of the golden entries: width, height, fx, fy, cx, cy, k1, k2, height, pitch, roll, yaw, its
# uncertainty, k3, k4, p1, p2.
FRONT = CameraGeometry(
    1280, 720, 1108.5, 1107.25, 639.5, 359.5, -0.31, 0.12, 1.3, 2.5, -0.25, 0.75, 0.5, -0.02, 0.0,
    0.001, -0.002,
)  # fmt: skip
OVERHEAD = CameraGeometry(
    1920, 1536, 480.25, 480.5, 959.5, 767.5, 0.08, -0.02, 2.1, 12.0, 0.0, -1.5, 1.0, 0.004, -0.001,
    lens="fisheye", ego=((0, 1500), (960, 1400), (1919, 1500)),
)  # fmt: skip


@pytest.fixture(scope="module")
def codec() -> Iterator[Driven]:
    with driven("codec") as running:
        yield running


def said_by_python(data: bytes) -> str:
    """What the C++ filter prints for ``decode``."""
    try:
        message = decode(data)
    except ProtocolError as error:
        return f"error {error.check}"
    if message is None:
        return "unknown"
    if isinstance(message, Welcome):
        return f"welcome {fields(message)}"
    told = decode_stages(data)._asdict() if any(decode_stages(data)) else {}
    first, mark, later = fields(message).partition(" engine_restarts=")
    return " ".join([f"frame {first}", *(f"{k}_us={v}" for k, v in told.items())]) + mark + later


def fields(message: Message) -> str:
    def bits(value: object) -> int:
        if isinstance(value, float):
            return int(struct.unpack("<I", struct.pack("<f", value))[0])
        assert isinstance(value, int)
        return value

    values = message._asdict()
    values.pop("magic")
    if not any(values.get(name) for name in _SINCE_MINOR_2):  # not told, as by minor 1
        values = {name: value for name, value in values.items() if name not in _SINCE_MINOR_2}
    return " ".join(f"{name}={bits(value)}" for name, value in values.items())


_SINCE_MINOR_2 = (
    "engine_restarts",
    "verification_entry",
    "geometry_entry",
    "ego_entry",
    "arrival_ns",
)


def golden() -> list[tuple[str, bytes, str]]:
    rows = [line.split("\t") for line in GOLDEN.read_text().splitlines() if line[:1] != "#"]
    return [(name, bytes.fromhex(data), expected) for name, data, expected in rows]


ENTRIES = [row for row in golden() if row[0].startswith("entry_")]
MESSAGES = [row for row in golden() if row not in ENTRIES]


@pytest.mark.parametrize(("name", "data", "expected"), ENTRIES)
def test_golden_entries(codec: Driven, name: str, data: bytes, expected: str) -> None:
    said = codec.ask(f"identity {data.hex()}")
    assert said == expected or f"entry {said}".rstrip() == expected
    try:
        kind, identity = decode_identity(data)
    except ProtocolError as error:
        assert expected == f"error {error.check}"
        return
    colours = bytes(value for rgb in identity.colors_rgb for value in rgb)
    named = f"entry {kind} {identity.name.encode().hex()} {identity.digest.hex()}"
    assert f"{named} {(colours or identity.body).hex()}".rstrip("0 ") == expected.rstrip("0 ")
    assert encode_identity(kind, identity) == data


def test_the_numbers_of_a_golden_geometry() -> None:
    told = [row for row in ENTRIES if row[2].startswith("entry ")]
    bodies = {name: decode_identity(data)[1].body for name, data, _ in told}
    assert geometry_of(bodies["entry_geometry_pinhole"]) == FRONT
    assert geometry_of(bodies["entry_geometry_fisheye"], bodies["entry_ego_mask"]) == OVERHEAD
    assert geometry_of(bodies["entry_geometry_name_alone"]) is None


def test_the_vectors_are_frozen() -> None:
    """Minor 0, 1 and 2: a later minor version adds rows of its own behind these."""
    rows = [line for line in GOLDEN.read_text().splitlines() if line[:1] != "#"]
    assert hashlib.sha256("\n".join(rows[:FROZEN]).encode()).hexdigest() == FROZEN_SHA256


@pytest.mark.parametrize(("name", "data", "expected"), MESSAGES)
def test_golden_vectors(codec: Driven, name: str, data: bytes, expected: str) -> None:
    assert said_by_python(data) == expected
    assert codec.ask(f"decode {data.hex()}") == expected
    if expected.startswith(("frame", "welcome")) and len(data) == 256:
        message = decode(data)
        assert message is not None
        encoded = bytearray(encode(message))
        if isinstance(message, FrameHeader):
            encode_stages_into(encoded, decode_stages(data))
        assert encoded == data


def test_the_vectors_hold_what_the_tests_hold() -> None:
    vectors = {name: data for name, data, _ in golden()}
    assert decode(vectors["frame"]) == FRAME
    assert decode(vectors["welcome"]) == WELCOME


@settings(deadline=None, max_examples=300)
@given(data=st.binary(max_size=300), prefix=st.sampled_from([0, 4, 10, 16]))
def test_any_bytes_are_read_alike(codec: Driven, data: bytes, prefix: int) -> None:
    candidate = encode(FRAME)[:prefix] + data
    if candidate:
        assert codec.ask(f"decode {candidate.hex()}") == said_by_python(candidate)


def first_failure(welcome: Welcome, frame: FrameHeader, file_bytes: int, now: int) -> str:
    try:
        check_welcome(welcome, file_bytes)
        check_message(frame, welcome, 41, now)
        if frame.type == 2:
            check_frame(frame, welcome, 41)
    except ProtocolError as error:
        return error.check
    return "none"


@st.composite
def damaged(draw: st.DrawFn, message: Message, used: int) -> bytes:
    """The message with up to three of its values replaced, often by extreme ones."""
    data = bytearray(encode(message))
    for _ in range(draw(st.integers(0, 3))):
        size = draw(st.sampled_from([1, 2, 4, 8]))
        position = size * draw(st.integers(-(-12 // size), used // size - 1))
        extremes = [0, 1, (1 << 8 * size) - 1, 1 << (8 * size - 1)]
        value = draw(st.sampled_from(extremes) | st.integers(0, (1 << 8 * size) - 1))
        data[position : position + size] = value.to_bytes(size, "little")
    return bytes(data)


@settings(deadline=None, max_examples=1000)
@given(first=damaged(WELCOME, 128), second=damaged(FRAME, 224))
def test_any_values_are_judged_alike(codec: Driven, first: bytes, second: bytes) -> None:
    welcome, frame = decode(first), decode(second)
    assert isinstance(welcome, Welcome) and isinstance(frame, FrameHeader)
    answer = codec.ask(f"check {first.hex()} {second.hex()} {WELCOME.ring_bytes} 41 {NOW_NS}")
    assert answer == first_failure(welcome, frame, WELCOME.ring_bytes, NOW_NS)


@settings(deadline=None, max_examples=200)
@given(head=st.tuples(st.integers(0, 8), st.integers(0, 40)), rest=st.binary(max_size=248))
def test_identities_are_read_alike(codec: Driven, head: tuple[int, int], rest: bytes) -> None:
    data = struct.pack("<II", *head) + rest.ljust(248, b"\0")
    answer = codec.ask(f"identity {data.hex()}")
    try:
        kind, identity = decode_identity(data)
    except ProtocolError as error:
        assert answer == f"error {error.check}"
        return
    got_kind, *texts, digest, colors = answer.split(" ")
    assert (int(got_kind), digest) == (kind, identity.digest.hex())
    assert bytes.fromhex(texts[0]).decode(errors="replace") == identity.name
    if kind >= IdentityKind.GEOMETRY:
        assert bytes.fromhex(colors).rstrip(b"\0") == identity.body.rstrip(b"\0")
        return
    assert colors == bytes(value for rgb in identity.colors_rgb for value in rgb).hex()


@settings(deadline=None, max_examples=100)
@given(st.binary(min_size=1, max_size=100))
def test_both_crc_paths_agree(codec: Driven, data: bytes) -> None:
    assert codec.ask(f"crc32c {data.hex()}") == f"{crc32c(data)} {crc32c(data)}"


def enumerators(text: str, name: str) -> dict[str, int]:
    body = re.search(rf"enum (?:class )?{name}\b[^{{]*{{(.*?)}};", text, re.S)
    assert body is not None
    found = re.findall(r"^\s*(\w+) = ([^,]+),", body[1], re.M)
    values = {}
    for key, value in found:
        shift = re.fullmatch(r"1u << (\d+)", value)
        values["FILE" if key == "FILE_SOURCE" else key] = (
            1 << int(shift[1]) if shift else int(value)
        )
    return values


@pytest.mark.parametrize("name", ["MessageType", "Mode", "Reason", "Flag", "NoMask"])
def test_both_vocabularies_are_the_same(name: str) -> None:
    text = (HEADERS / "modes.hpp").read_text()
    python = {m.name: m.value for m in getattr(modes, name).__members__.values() if m.name}
    if name in ("Reason", "Flag"):
        python.pop("NONE")
    assert enumerators(text, name) == python


def test_exactly_the_reserved_reasons_are_set_by_nothing() -> None:
    """A reason that nothing sets is called reserved in the document; today each is set."""
    package = REPOSITORY / "edge" / "roadmask"
    folders = [package / name for name in ("daemon", "sources", "stream/publish")]
    sources = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    sources.append(REPOSITORY / "edge" / "cpp" / "python" / "bind_publisher.cpp")
    text = "".join(source.read_text() for source in sources)
    said = set(re.findall(r"\b(?:Reason\.|roadmask::)(\w+)", text))
    unsaid = {reason.name for reason in modes.Reason if reason.name not in said}
    document = (REPOSITORY / "docs" / "protocol.md").read_text()
    assert unsaid == set(re.findall(r"\b([A-Z_]+) \| reserved", document))


BRIDGE = {Check.TYPE, Check.ABOUT, Check.PNG}


def test_both_sets_of_checks_are_the_same() -> None:
    body = re.search(r"enum class Check {(.*?)}", (HEADERS / "protocol.hpp").read_text(), re.S)
    assert body is not None
    in_cpp = [name.strip() for name in body[1].split(",") if name.strip()]
    assert in_cpp == ["none", *(check.value for check in Check if check not in BRIDGE)]
    assert all(check.value == check.name.lower() == str(check) == f"{check}" for check in Check)


@pytest.mark.parametrize("folders", [("roadmask/stream", "roadmask/bridge"), ("cpp/src",)])
def test_every_check_is_made(folders: tuple[str, ...]) -> None:
    paths = [path for folder in folders for path in (REPOSITORY / "edge" / folder).rglob("*.[pc]*")]
    text = "".join(path.read_text() for path in paths if path.suffix in (".py", ".cpp"))
    text = re.sub(r"case Check::.*", "", text)  # their names
    used = set(re.findall(r"\bCheck(?:\.|::)(\w+)", text))
    mine = {c.value if "cpp/src" in folders else c.name for c in Check}
    assert used - {"none"} == mine - ({c.value for c in BRIDGE} if "cpp/src" in folders else set())


def test_the_texts_are_the_same() -> None:
    source = Path(REPOSITORY / "edge" / "cpp" / "src" / "modes.cpp").read_text()
    body = re.search(r"kNoMask\[\] = {(.*?)};", source, re.S)
    assert body is not None
    assert re.findall(r'"([^"]+)"', body[1]) == list(modes.NO_MASK_TEXT.values())
