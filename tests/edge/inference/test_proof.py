"""Nothing unproved is OK: the file's own digest, and its golden frames before the first mask."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from daemon_parts import daemon
from delegate_parts import compiled_delegate
from network_parts import HEIGHT, WIDTH, constant_output

from roadmask.daemon.config import DaemonConfig
from roadmask.errors import ModelError
from roadmask.inference.accelerator import Accelerator
from roadmask.inference.engine import Engine
from roadmask.inference.golden import pack, unpack
from roadmask.inference.model_file import (
    GOLDEN_NAME,
    METADATA_NAME,
    SEAL_NAME,
    ModelInfo,
    block_at,
    check_seal,
    read_block,
    write_metadata,
)
from roadmask.inference.proof import prove
from roadmask.stream.modes import Mode, Reason
from roadmask.stream.subscribe.subscriber import Subscriber

COPIES = 200


def written(data: bytes, folder: Path) -> Path:
    path = folder / "net.tflite"
    path.write_bytes(data)
    return path


def test_the_shipped_network_is_sealed_and_answers_as_certified(shipped_model: Path) -> None:
    engine = Engine(shipped_model)
    standing = prove(engine)
    assert engine.sealed and standing.verified and standing.ran_on == "cpu"
    assert standing.text == "verified: 3 golden frames as certified on cpu"
    assert prove(engine, skip=True).verified is False


def test_two_hundred_changed_copies(shipped_model: Path, tmp_path: Path) -> None:
    """Each is refused, or is not verified: the place of the digest is changed too."""
    data = shipped_model.read_bytes()
    place = block_at(data, SEAL_NAME)
    assert place is not None
    rng = np.random.default_rng(20261128)
    unsealed = 0
    for copy in range(COPIES):
        changed = bytearray(data)
        # Half of them near the digest's own place and name, where a change could hide it.
        low, high = (place[0] - 200, place[0] + 40) if copy % 2 else (0, len(data))
        for at in rng.integers(max(0, low), min(high, len(data)), int(rng.integers(1, 9))):
            changed[at] ^= int(rng.integers(1, 256))
        try:
            engine = Engine(written(bytes(changed), tmp_path))
        except ModelError:
            continue
        unsealed += 1
        assert not engine.sealed and not prove(engine).verified
    assert unsealed < COPIES // 2


@pytest.mark.parametrize("kind", ["cut", "longer", "one bit"])
def test_a_changed_file_is_refused_by_its_digest(
    kind: str, shipped_model: Path, tmp_path: Path
) -> None:
    data = shipped_model.read_bytes()
    at = len(data) // 2
    changed = {
        "cut": data[:-1],
        "longer": data + b"\0",
        "one bit": data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],
    }
    with pytest.raises(ModelError, match=r"was changed since it was written|corrupt"):
        Engine(written(changed[kind], tmp_path))


def test_another_answer_than_certified_does_not_start(shipped_model: Path, tmp_path: Path) -> None:
    data = shipped_model.read_bytes()
    block = read_block(data, GOLDEN_NAME)
    assert block is not None
    golden = unpack(block)
    frame = golden.frames[0]
    turned = type(frame)(frame.name, frame.image[::-1].copy(), *list(vars(frame).values())[2:])
    wrong = pack(type(golden)((turned, *golden.frames[1:]), *list(vars(golden).values())[1:]))
    path = written(write_metadata(data, {GOLDEN_NAME: wrong}), tmp_path)
    assert check_seal(path.read_bytes(), path)
    with pytest.raises(ModelError, match="1 of 3 golden frames are not answered as certified"):
        prove(Engine(path))


def test_an_accelerator_that_answers_nonsense_is_given_up(
    shipped_model: Path, tmp_path: Path
) -> None:
    library = compiled_delegate(tmp_path)  # it takes every operator and computes nothing
    engine = Engine(shipped_model, accelerator=Accelerator(library))
    assert engine.placement.accelerated and not engine.placement.fallback
    standing = prove(engine)
    assert standing.verified and standing.ran_on == "cpu-fallback"
    assert "golden frames are not answered as certified" in engine.placement.fallback
    required = Engine(shipped_model, accelerator=Accelerator(library, required=True))
    with pytest.raises(ModelError, match="golden frames are not answered"):
        prove(required)


@pytest.mark.parametrize("way", ["verified", "--no-verify", "no golden frames", "no digest"])
def test_the_stream_says_how_the_network_is_proved(
    way: str, shipped_model: Path, tmp_path: Path
) -> None:
    data = shipped_model.read_bytes()
    if way == "no golden frames":
        info = ModelInfo("constant", "cityscapes-8", (WIDTH, HEIGHT))
        value = np.zeros((1, HEIGHT, WIDTH, 8), np.float32)
        value[..., 3] = 1
        data = write_metadata(constant_output(value), {METADATA_NAME: info.to_json().encode()})
    if way == "no digest":
        data = data.replace(SEAL_NAME.encode(), b"X" * len(SEAL_NAME))
    config = DaemonConfig(
        source="synthetic:town?width=160&height=120",
        model=str(written(data, tmp_path)),
        socket=str(tmp_path / "masks.sock"),
        max_age_ms=5000,
        no_verify=way == "--no-verify",
    )
    with daemon(config), Subscriber(config.socket, allow_not_live=True) as subscriber:
        mask = subscriber.receive(timeout_s=30)
    assert mask is not None
    unverified = way != "verified"
    assert bool(mask.reasons & Reason.UNVERIFIED) is unverified
    # The machine under test may be slow: that too is no OK.
    assert mask.mode is Mode.DEGRADED if unverified else mask.mode in (Mode.OK, Mode.DEGRADED)
    assert mask.verification is not None
    assert mask.verification.name.startswith("unverified" if unverified else "verified")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_says_nothing_is_a_fault(value: float, tmp_path: Path) -> None:
    """The issue's first row: 100 % flat in mode OK, before."""
    info = ModelInfo("nothing", "cityscapes-8", (WIDTH, HEIGHT))
    data = constant_output(np.full((1, HEIGHT, WIDTH, 8), value, np.float32))
    path = written(write_metadata(data, {METADATA_NAME: info.to_json().encode()}), tmp_path)
    config = DaemonConfig(
        source="synthetic:town?width=160&height=120",
        model=str(path),
        socket=str(tmp_path / "masks.sock"),
        max_age_ms=5000,
    )
    seen = threading.Event()
    with daemon(config), Subscriber(config.socket, allow_not_live=True) as subscriber:
        for _ in range(300):
            assert subscriber.receive(timeout_s=0.1) is None
            status = subscriber.status
            if status is not None and status.reasons & Reason.INFERENCE_FAILED:
                assert status.mode is Mode.FAULT
                seen.set()
                break
    assert seen.is_set()
