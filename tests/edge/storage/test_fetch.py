"""Artefacts by address: a real HTTP server, an S3 server, fsspec's memory store."""

from __future__ import annotations

import hashlib
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from roadmask.data.datasets import open_dataset
from roadmask.errors import ConfigError, DataError
from roadmask.inference.engine import Engine
from roadmask.storage.address import location
from roadmask.storage.fetch import fetch, fetch_folder

fsspec = pytest.importorskip("fsspec")
DATA = bytes(range(256)) * 9000
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROADMASK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Shop(ThreadingHTTPServer):
    """Serves a folder with the ETags of its files, and counts what was taken."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.taken, self.cut = folder, 0, 0
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(SimpleHTTPRequestHandler):
    server: Shop

    def translate_path(self, path: str) -> str:
        return str(self.server.folder / path.partition("?")[0].lstrip("/"))

    def end_headers(self) -> None:
        file = Path(self.translate_path(self.path))
        if file.is_file():
            self.send_header("ETag", hashlib.md5(file.read_bytes()).hexdigest())
        super().end_headers()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        self.server.taken += 1
        outputfile.write(source.read()[self.server.cut :])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "thing.bin").write_bytes(DATA)
    with Shop(folder) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_path_is_itself(tmp_path: Path) -> None:
    file = tmp_path / "thing.bin"
    file.write_bytes(DATA)
    assert fetch(file) == fetch(str(file)) == fetch(file, DIGEST) == file
    assert fetch(f"{file}#sha256={DIGEST}") == file
    assert fetch_folder(tmp_path) == tmp_path
    with pytest.raises(DataError, match="expected 0000"):
        fetch(file, "0" * 64)
    assert location("s3://a/b") == "s3://a/b" and location("a/b") == Path("a/b")


def test_it_is_taken_once_and_again_when_it_changed(shop: Shop, cache: Path) -> None:
    file = fetch(f"{shop.url}/thing.bin")
    assert file.read_bytes() == DATA and file.is_relative_to(cache) and file.name == "thing.bin"
    assert fetch(f"{shop.url}/thing.bin") == file and shop.taken == 1
    (shop.folder / "thing.bin").write_bytes(DATA[::-1])
    assert fetch(f"{shop.url}/thing.bin").read_bytes() == DATA[::-1] and shop.taken == 2


def test_a_pinned_one_needs_no_network(shop: Shop) -> None:
    address = f"{shop.url}/thing.bin#sha256={DIGEST}"
    file = fetch(address)
    shop.shutdown()
    shop.server_close()
    assert fetch(address) == file
    file.write_bytes(b"changed in the cache")
    with pytest.raises(DataError, match="cannot be fetched"):
        fetch(address)


def test_another_content_is_not_kept(shop: Shop, cache: Path) -> None:
    with pytest.raises(DataError, match="expected 1111"):
        fetch(f"{shop.url}/thing.bin", "1" * 64)
    assert not files_in(cache)


def test_a_cut_download_is_not_kept(shop: Shop, cache: Path) -> None:
    shop.cut = 1000
    with pytest.raises(DataError, match="artefact http"):
        fetch(f"{shop.url}/thing.bin")
    assert not files_in(cache)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://example.com/x", "s3://"),
        ("s3://bucket/x#md5=1", "#sha256=HEX"),
        ("s3://bucket/x#sha256=12", "64 hex digits"),
        ("https://user:secret@example.com/x", "password"),
        ("http://example.com/x", "over http"),
    ],
)
def test_an_address_that_cannot_be_used(address: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        fetch(address)
    assert "secret" not in str(refused.value)


def test_what_is_missing_is_one_line_without_secrets(shop: Shop) -> None:
    with pytest.raises(DataError, match="missing") as refused:
        fetch(f"{shop.url}/nothing.bin?signature=secret")
    assert "secret" not in str(refused.value) and "\n" not in str(refused.value)
    with pytest.raises(DataError, match="cannot be fetched"):
        fetch(f"http://127.0.0.1:9/thing.bin?signature=secret#sha256={DIGEST}")


def test_a_model_by_address(shop: Shop, shipped_model: Path) -> None:
    data = shipped_model.read_bytes()
    (shop.folder / "net.tflite").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    assert Engine(f"{shop.url}/net.tflite#sha256={digest}").digest == digest


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_a_data_set_in_an_archive(shop: Shop, camvid_folder: Path, suffix: str) -> None:
    archive = shop.folder / f"camvid{suffix}"
    files = files_in(camvid_folder)
    if suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as zipped:
            for file in files:
                zipped.write(file, f"camvid/{file.relative_to(camvid_folder)}")
    else:
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(camvid_folder, "camvid")
    dataset = open_dataset("camvid", f"{shop.url}/{archive.name}", "val")
    assert list(dataset.ids) == ["C_0000", "C_0001", "C_0002"]
    assert dataset[0].image.shape == (72, 96, 3)
    assert open_dataset("camvid", f"{shop.url}/{archive.name}", "val").ids == dataset.ids
    assert shop.taken == 1
    assert open_dataset("camvid", archive, "val").ids == dataset.ids
    assert open_dataset("camvid", f"{archive}#sha256={digest_of(archive)}", "val").ids
    assert set(shop.folder.iterdir()) == {shop.folder / "thing.bin", archive}


def test_an_archive_that_leaves_its_folder(shop: Shop, cache: Path) -> None:
    with tarfile.open(shop.folder / "evil.tar", "w") as tar:
        tar.add(shop.folder / "thing.bin", "../../outside.bin")
    with pytest.raises(DataError, match="archive"):
        fetch_folder(f"{shop.url}/evil.tar")
    (shop.folder / "none.zip").write_bytes(b"no archive")
    with pytest.raises(DataError, match="archive"):
        fetch_folder(f"{shop.url}/none.zip")
    assert not [path for path in files_in(cache.parent) if path.name == "outside.bin"]
    with pytest.raises(ConfigError, match="listed"):
        fetch_folder(f"{shop.url}/folder")


def test_a_folder_of_objects() -> None:
    store = fsspec.filesystem("memory")
    for name in ("val/a.png", "val/b.png", "valannot/a.png"):
        store.pipe(f"/bucket/set/{name}", name.encode())
    folder = fetch_folder("memory://bucket/set")
    found = {str(path.relative_to(folder)) for path in folder.rglob("*.png")}
    assert found == {"val/a.png", "val/b.png", "valannot/a.png"}
    store.pipe("/bucket/set/val/a.png", b"changed")
    assert (fetch_folder("memory://bucket/set/") / "val/a.png").read_bytes() == b"changed"
    with pytest.raises(DataError, match="nothing is there"):
        fetch_folder("memory://bucket/empty")
    with pytest.raises(ConfigError, match="no digest"):
        fetch_folder(f"memory://bucket/set#sha256={DIGEST}")


def test_s3(monkeypatch: pytest.MonkeyPatch, camvid_folder: Path) -> None:
    moto = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        store = s3fs.S3FileSystem()
        store.mkdir("bucket")
        store.put(str(camvid_folder), "bucket/camvid", recursive=True)
        store.pipe("bucket/thing.bin", DATA)
        assert fetch(f"s3://bucket/thing.bin#sha256={DIGEST}").read_bytes() == DATA
        dataset = open_dataset("camvid", "s3://bucket/camvid", "train")
        assert len(dataset.ids) == 6 and dataset[5].mask.shape == (72, 96)
        with pytest.raises(DataError, match="missing"):
            fetch("s3://bucket/nothing")
    finally:
        server.stop()


def test_no_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(ConfigError, match=r"roadmask\[cloud\]"):
        fetch("s3://bucket/thing.bin")
