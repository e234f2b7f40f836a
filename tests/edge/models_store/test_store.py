"""Models in the field: whole or not at all, signed, proved on this board, taken back."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cryptography")
from network_parts import HEIGHT, WIDTH, constant_output
from power_parts import RecordingDisk, wrecks

from roadmask.cli.main import main
from roadmask.errors import ConfigError, ModelError
from roadmask.inference.model_file import digest
from roadmask.models_store.signature import sign, signature_path
from roadmask.models_store.store import Store


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A private key and its public one, as OpenSSL's PEM."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    folder = tmp_path_factory.mktemp("keys")
    key = Ed25519PrivateKey.generate()
    private, public = folder / "release.pem", folder / "release.pub.pem"
    private.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture
def model(tmp_path: Path, shipped_model: Path) -> Path:
    path = tmp_path / "net-480x352.tflite"
    shutil.copy(shipped_model, path)
    return path


def small(tmp_path: Path, name: str) -> Path:
    """A file that passes for a model until it is run; the store only keeps bytes."""
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(b"\0\0\0\0TFL3" + name.encode() * 100)
    return path


def test_a_signed_model_is_installed_by_its_key(
    tmp_path: Path, model: Path, keys: tuple[Path, Path]
) -> None:
    sign(model, keys[0])
    store = Store(tmp_path / "store")
    installed = store.install(model, [keys[1]])
    assert installed.signed_by == "release.pub.pem"
    assert installed.path.read_bytes() == model.read_bytes()
    assert store.installed() == [installed] == [store.find("net-480x352")]
    assert store.current() is None


def test_what_nobody_vouches_for_is_refused(
    tmp_path: Path, model: Path, keys: tuple[Path, Path]
) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(ModelError, match=r"has no signature.*--unsigned"):
        store.install(model, [keys[1]])
    assert store.install(model, [], unsigned=True).signed_by is None
    sign(model, keys[0])
    with pytest.raises(ConfigError, match="no key is known"):
        store.install(model, [])
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    for unsigned in (False, True):  # a wrong signature is no missing one
        with pytest.raises(ModelError, match="made by none of the keys"):
            store.install(model, [keys[1]], unsigned=unsigned)
    signature_path(model).write_bytes(b"short")
    with pytest.raises(ModelError, match="5 bytes, expected an Ed25519 signature"):
        store.install(model, [keys[1]])
    assert len(store.installed()) == 1


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n"])
def test_a_file_that_holds_no_key_is_named(tmp_path: Path, model: Path, content: bytes) -> None:
    key = tmp_path / "odd.pem"
    key.write_bytes(content)
    signature_path(model).write_bytes(bytes(64))
    with pytest.raises(ConfigError, match=r"odd\.pem: expected a public Ed25519 key"):
        Store(tmp_path / "store").install(model, [key])
    with pytest.raises(ConfigError, match=r"odd\.pem: expected a private Ed25519 key"):
        sign(model, key)


def test_switch_and_rollback(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first = store.install(small(tmp_path, "first"), [], unsigned=True)
    second = store.install(small(tmp_path, "second"), [], unsigned=True)
    with pytest.raises(ModelError, match="no model ran before"):
        store.rollback()
    store.switch(first)
    store.switch(second)
    assert (store.current(), store.previous()) == (second, first)
    running = tmp_path / "store" / "current" / "model.tflite"
    assert running.read_bytes() == second.path.read_bytes()
    assert store.rollback() == first == store.current()
    assert running.read_bytes() == first.path.read_bytes()
    store.switch(second)
    assert (store.current(), store.previous()) == (second, first)


def test_names_are_told_apart_by_digest(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    one = store.install(small(tmp_path, "net"), [], unsigned=True)
    (tmp_path / "net.tflite").write_bytes(b"\0\0\0\0TFL3another")
    other = store.install(tmp_path / "net.tflite", [], unsigned=True)
    with pytest.raises(ModelError, match="several models have that name"):
        store.find("net")
    assert store.find(one.digest[:12]) == one
    assert store.find(other.digest[:12]) == other
    first = min(one.digest, other.digest)[:12]
    with pytest.raises(ModelError, match=f"it is not installed; give one of: net {first}"):
        store.find("absent")


def test_a_power_cut_leaves_the_old_model_or_the_new_one_whole(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = Store(root)
    old = store.install(small(tmp_path, "old"), [], unsigned=True)
    store.switch(old)
    before = tmp_path / "before"
    shutil.copytree(root, before, symlinks=True)
    disk = RecordingDisk(root)
    recorded = Store(root, disk)
    new = recorded.install(small(tmp_path, "new"), [], unsigned=True)
    recorded.switch(new)
    seen = set()
    for tree in wrecks(before, disk, tmp_path):
        found = Store(tree)
        current = found.current()
        assert current is not None
        assert digest(current.path.read_bytes()) == current.digest in (old.digest, new.digest)
        for model in found.installed():
            assert digest(model.path.read_bytes()) == model.digest
        # The board goes on from there: the same again ends as it should.
        found.switch(found.install(tmp_path / "new.tflite", [], unsigned=True))
        assert found.current().digest == new.digest  # type: ignore[union-attr]
        seen.add(current.digest)
    assert seen == {old.digest, new.digest}
    assert len(disk.changes) > 10


def test_the_commands(
    tmp_path: Path,
    model: Path,
    keys: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = f"--store={tmp_path / 'store'}"
    assert main(["models", "list", store]) == 0
    assert "no model is installed" in capsys.readouterr().out
    assert main(["models", "sign", str(model), "--private-key", str(keys[0])]) == 0
    assert main(["models", "install", str(model), "--key", str(keys[1]), store]) == 0
    assert main(["models", "switch", "net-480x352", "--budget-ms", "5000", store]) == 0
    assert "golden frames as certified" in capsys.readouterr().out
    assert main(["models", "list", store, "--json", str(tmp_path / "l.json")]) == 0
    row = json.loads((tmp_path / "l.json").read_text())["models"][0]
    assert (row["name"], row["role"], row["signed_by"]) == (
        "net-480x352",
        "current",
        "release.pub.pem",
    )
    capsys.readouterr()
    assert main(["models", "rollback", store]) == 2
    assert main(["models", "install", str(tmp_path / "none.tflite"), store]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_nothing_runs_that_is_not_proved_here(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "store")
    options = [f"--store={store.root}", "--budget-ms", "5000"]
    installed = store.install(model, [], unsigned=True)
    assert main(["models", "switch", installed.name, "--budget-ms", "0.1", options[0]]) == 2
    assert "ms are allowed" in capsys.readouterr().err
    store.install(small(tmp_path, "bare"), [], unsigned=True)
    assert main(["models", "switch", "bare", *options]) == 2
    data = bytearray(installed.path.read_bytes())
    data[len(data) // 2] ^= 1
    installed.path.write_bytes(data)
    assert main(["models", "switch", installed.name, *options]) == 2
    assert "is not what was installed" in capsys.readouterr().err
    assert store.current() is None


def test_what_inspect_refuses_is_neither_installed_nor_run(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A network whose labels nobody tells was installed."""
    store = Store(tmp_path / "store")
    silent = tmp_path / "silent.tflite"
    silent.write_bytes(constant_output(np.zeros((1, HEIGHT, WIDTH, 8), np.float32)))
    install = ["models", "install", str(silent), "--unsigned", f"--store={store.root}"]
    assert main(install) == 2
    assert "--labels" in capsys.readouterr().err and store.installed() == []
    assert main([*install, "--labels", "cityscapes-19"]) == 2
    assert main([*install, "--labels", "cityscapes-8"]) == 0
    switch = ["models", "switch", "silent", f"--store={store.root}"]
    capsys.readouterr()
    assert main(switch) == 2
    assert "--labels" in capsys.readouterr().err and store.current() is None


def test_keys_that_openssl_makes_are_read(tmp_path: Path, model: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    private, public = tmp_path / "k.pem", tmp_path / "k.pub.pem"
    make = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(private)]
    subprocess.run(make, check=True, capture_output=True)
    show = ["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)]
    subprocess.run(show, check=True, capture_output=True)
    sign(model, private)
    assert Store(tmp_path / "store").install(model, [public]).signed_by == "k.pub.pem"
