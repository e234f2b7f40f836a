"""The C interface: what it exports, what stays, and that programs of other languages run on it."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cpp_parts import REPOSITORY, built, program, tool
from stream_parts import frame_info, publish, wait_for

from roadmask import __version__
from roadmask.labels.label_set import CATEGORY_NAMES, Category
from roadmask.stream import modes
from roadmask.stream.protocol import Identity
from roadmask.stream.publish.publisher import Publisher, StreamIdentity

HEADER = REPOSITORY / "edge" / "cpp" / "include" / "roadmask.h"
FROZEN = REPOSITORY / "tests" / "cpp" / "abi"
# Of ABI 1: one may be added, none taken away.
SYMBOLS = (
    "abi",
    "category_name",
    "close",
    "fileno",
    "free",
    "latest",
    "latest_view",
    "mask_age_ns",
    "mask_frame",
    "mask_free",
    "mask_identity",
    "mask_new",
    "mask_valid",
    "mode_name",
    "no_mask_text",
    "now_ns",
    "open",
    "options_init",
    "reason_names",
    "reason_text",
    "receive",
    "statistics_of",
    "version",
)


def library() -> Path:
    """The shared library, built."""
    return built() / "edge" / "cpp" / "libroadmask.so.1"


def names(text: str, prefix: str) -> dict[str, int]:
    """Values of ``ROADMASK_`` constants in the header."""
    plain = re.findall(rf"ROADMASK_{prefix}(\w+) = (\d+)", text)
    bits = re.findall(rf"#define ROADMASK_{prefix}(\w+) \(1u << (\d+)\)", text)
    return {name: int(value) for name, value in plain} | {name: 1 << int(n) for name, n in bits}


def test_exactly_these_symbols_are_exported() -> None:
    listed = subprocess.run(
        [tool("nm"), "-D", "--defined-only", "--format=posix", str(library())],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = {line.split()[0].split("@")[0] for line in listed.splitlines()}
    assert found == {"ROADMASK_1", *(f"roadmask_{name}" for name in SYMBOLS)}
    declared = set(re.findall(r"\broadmask_(\w+)\(", HEADER.read_text()))
    assert declared == set(SYMBOLS)
    dynamic = subprocess.run(
        [tool("readelf"), "-d", str(library())], check=True, capture_output=True, text=True
    ).stdout
    assert "Library soname: [libroadmask.so.1]" in dynamic


def test_its_constants_are_those_of_the_protocol() -> None:
    text = HEADER.read_text()
    assert names(text, "REASON_") == {r.name: r.value for r in modes.Reason if r}
    assert names(text, "FLAG_") == {f.name: f.value for f in modes.Flag if f}
    reasons = {reason.name: reason.value for reason in modes.NoMask if reason}
    assert names(text, "NO_MASK_") == reasons
    for mode in modes.Mode:
        assert f"ROADMASK_{mode.name} = {mode.value}," in text


def test_the_version_is_one() -> None:
    loaded = ctypes.CDLL(str(library()))
    loaded.roadmask_version.restype = ctypes.c_char_p
    assert loaded.roadmask_version().decode() == __version__ and loaded.roadmask_abi() == 1
    macros = (HEADER.parent / "roadmask" / "version.h").read_text()
    parts = [re.search(rf"{part} (\d+)", macros) for part in ("MAJOR", "MINOR", "PATCH")]
    assert ".".join(part[1] for part in parts if part) == __version__


def test_categories_have_their_names_in_every_language() -> None:
    loaded = ctypes.CDLL(str(library()))
    loaded.roadmask_category_name.restype = ctypes.c_char_p
    told = tuple(loaded.roadmask_category_name(number).decode() for number in range(9))
    assert told == (*CATEGORY_NAMES, "unknown")
    assert tuple(category.name.lower() for category in Category) == CATEGORY_NAMES


def run_while_publishing(path: Path, *command: str) -> str:
    """What it says of frames of one category, 1, from a known model."""
    identity = StreamIdentity(model=Identity("street-s", b"\1" * 32))
    with (
        Publisher(path, mask_size=(33, 17), identity=identity) as publisher,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LD_LIBRARY_PATH": str(library().parent)},
        ) as running,
    ):

        def published() -> bool:
            slot = publisher.begin()
            slot.mask[:] = 1
            publisher.publish(frame_info(flags=modes.Flag.SYNTHETIC, reasons=modes.Reason.THERMAL))
            return running.poll() is not None

        wait_for(published, "its end")
        assert running.returncode == 0 and running.stdout is not None
        return running.stdout.read()


@pytest.mark.parametrize("example", ["subscribe.c", "subscribe_ctypes.py"])
def test_the_example_reads_masks(tmp_path: Path, example: str) -> None:
    script = str(REPOSITORY / "edge" / "examples" / example)
    command = [program("subscribe_c")] if example == "subscribe.c" else [sys.executable, script]
    path = tmp_path / "masks.sock"
    said = run_while_publishing(path, *command, str(path), "3", "--allow-not-live")
    lines = [line for line in said.splitlines() if not line.startswith("stop: no mask: ")]
    assert len(lines) == 3
    for line in lines:
        assert re.fullmatch(
            r"mask \d+ OK THERMAL age \d+\.\d ms, flat 1\.000, model street-s", line
        )


def test_an_old_client_runs_with_the_new_library(tmp_path: Path) -> None:
    old, path = tmp_path / "old_client", tmp_path / "masks.sock"
    source = str(FROZEN / "old_client.c")
    command = [tool("cc"), "-std=c11", "-Wall", "-o", str(old), source, str(library())]
    subprocess.run(command, check=True)
    said = run_while_publishing(path, str(old), str(path)).splitlines()
    assert said == ["48 192 236 32", "33 17 1 64", "1 1", "1"]


def test_the_header_keeps_what_the_frozen_one_has() -> None:
    """Every function with its types, every constant with its value, every field in its place."""
    today, then = HEADER.read_text(), (FROZEN / "roadmask-1.h").read_text()
    for prefix in ("REASON_", "FLAG_", "NO_MASK_"):
        assert names(then, prefix).items() <= names(today, prefix).items()
    for name in ("options", "frame", "identity", "statistics"):
        pattern = rf"typedef struct \{{([^{{}}]*)\}} roadmask_{name};"
        old, new = re.search(pattern, then), re.search(pattern, today)
        assert old is not None and new is not None
        assert bare(new[1]).startswith(bare(old[1]))
    old_functions, new_functions = functions(then), functions(today)
    assert len(old_functions) == len(SYMBOLS)
    assert old_functions <= new_functions


def functions(header: str) -> set[str]:
    found = re.findall(r"^[\w* ]+roadmask_\w+\([^;]*\);", header, re.M)
    return {bare(declaration) for declaration in found}


def bare(text: str) -> str:
    """C without comments and spaces."""
    return re.sub(r"\s+|/\*.*?\*/", "", text, flags=re.S)


class Longer(ctypes.Structure):
    """Options of a header that is newer than the library."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("known", ctypes.c_uint8 * 40),
        ("later", ctypes.c_uint64),
    )


def test_options_that_the_library_does_not_know_are_refused() -> None:
    loaded, opened, bad = ctypes.CDLL(str(library())), ctypes.c_void_p(), 1000
    options = Longer()

    def open_with(**changes: int) -> int:
        loaded.roadmask_options_init(ctypes.byref(options), ctypes.sizeof(options))
        for name, value in changes.items():
            setattr(options, name, value)
        found = int(loaded.roadmask_open(b"/x", ctypes.byref(options), ctypes.byref(opened)))
        loaded.roadmask_free(opened)
        return found

    assert open_with() == 0 and options.size == ctypes.sizeof(options)
    assert open_with(later=1) == open_with(flags=16) == open_with(size=8) == bad
    assert loaded.roadmask_open(b"/x", None, None) == bad
    assert loaded.roadmask_receive(None, None, ctypes.c_int64(0)) == bad
    for call in ("mask_frame", "statistics_of"):
        assert getattr(loaded, f"roadmask_{call}")(None, None) == 0
    for nothing in ("close", "free", "mask_free"):
        getattr(loaded, f"roadmask_{nothing}")(None)


def test_each_call_answers_for_a_mask_for_a_view_and_for_none(tmp_path: Path) -> None:
    loaded = ctypes.CDLL(str(library()))
    loaded.roadmask_mask_new.restype = ctypes.c_void_p
    loaded.roadmask_mask_age_ns.restype = ctypes.c_int64
    for name in ("reason_text", "reason_names"):
        getattr(loaded, f"roadmask_{name}").restype = ctypes.c_size_t
    mask, subscriber = ctypes.c_void_p(loaded.roadmask_mask_new()), ctypes.c_void_p()
    identity = (ctypes.c_uint32 * 59)(236)  # its size first, then its kind

    def kinds() -> list[int]:
        return [n for n in range(8) if loaded.roadmask_mask_identity(mask, n, identity)]

    def latest(call: str, max_age_ms: int = 2**63 - 1) -> int:
        return int(
            getattr(loaded, f"roadmask_{call}")(subscriber, mask, ctypes.c_int64(max_age_ms))
        )

    def text(call: str, *arguments: object) -> str:
        """Whole, and cut where there is no room."""
        length = getattr(loaded, f"roadmask_{call}")(*arguments, None, 0)
        whole, cut = (ctypes.create_string_buffer(size) for size in (length + 1, 4))
        for room in (whole, cut):
            told = getattr(loaded, f"roadmask_{call}")(*arguments, room, len(room))
            assert told == length == len(whole.value)
        assert cut.value == whole.value[:3]
        return whole.value.decode()

    def nothing() -> None:
        assert kinds() == [] and loaded.roadmask_mask_valid(mask) == 0
        assert loaded.roadmask_mask_age_ns(mask) == 2**63 - 1

    nothing()
    path = tmp_path / "masks.sock"
    made_by = StreamIdentity(model=Identity("street-s", b"\1" * 32))
    with Publisher(path, mask_size=(8, 8), identity=made_by) as publisher:
        assert loaded.roadmask_open(os.fsencode(path), None, ctypes.byref(subscriber)) == 0
        for call in ("latest", "latest_view"):
            wait_for(lambda call=call: publish(publisher) and latest(call) == 0, "a mask")
            assert kinds() == [1, 2, 3, 4, 5, 6]
            assert loaded.roadmask_mask_identity(mask, 1, identity) == 1
            assert bytes(identity)[40:49] == b"street-s\0"
            assert 0 < loaded.roadmask_mask_age_ns(mask) < 2**63 - 1
        for _ in range(20):
            publish(publisher)
        assert loaded.roadmask_mask_valid(mask) == 0  # the view's slot has another frame
        too_old = modes.NoMask.TOO_OLD
        wait_for(lambda: publish(publisher) and latest("latest", 0) == too_old, "too old")
        nothing()
    assert text("reason_text", subscriber)
    assert text("reason_text", None) == "no subscriber"
    both = modes.Reason.THERMAL | modes.Reason.CAMERA_LOST
    assert text("reason_names", int(both)) == "THERMAL|CAMERA_LOST"
    loaded.roadmask_free(subscriber)
    loaded.roadmask_mask_free(mask)
