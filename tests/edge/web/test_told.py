"""Names and texts that others chose reach every answer as text, whatever bytes they are."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from stream_parts import wait_for
from web_parts import encoded, server, town_picture

from roadmask.errors import ConfigError
from roadmask.town.export import write_cityscapes
from roadmask.web.drives.library import utc
from roadmask.web.settings import ServeConfig, check_config

ODD = os.fsdecode(b"fra\xe9me")  # latin-1's é: no UTF-8


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with a city of no text, recordings and results."""
    root = tmp_path_factory.mktemp("told")
    write_cityscapes(root / "town", train=0, val=2, width=160, height=80)
    for folder in ("leftImg8bit", "gtFine"):
        city = sorted((root / "town" / folder / "val").iterdir())[0]
        city.rename(city.with_name(ODD))
    (root / "drives").mkdir()
    (root / "results").mkdir()
    return root


@pytest.fixture(scope="module")
def client(place: Path) -> Iterator[httpx.Client]:
    with (
        server(
            *("--dataset", "cityscapes", "--root", place / "town", "--socket", place / "s"),
            *("--drives", place / "drives", "--results", place / "results"),
        ) as (base, _),
        httpx.Client(base_url=base, timeout=60) as client,
    ):
        yield client


@pytest.mark.parametrize("name", ["root", "split", "results", "drives", "models", "socket"])
@pytest.mark.parametrize("text", [ODD, "a\nb"])
def test_a_setting_that_cannot_be_told_is_refused(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match="rename it") as caught:
        check_config(ServeConfig(**{name: (text,) if name == "models" else text}))  # type: ignore[arg-type]
    assert str(caught.value).isprintable()


def test_a_frame_in_a_folder_of_no_text_that_is_gone(client: httpx.Client, place: Path) -> None:
    picture = next((place / "town" / "leftImg8bit" / "val" / ODD).iterdir())
    frame = picture.name.removesuffix("_leftImg8bit.png")
    assert client.get(f"/gallery/{frame}").status_code == 200
    with server(
        *("--dataset", "cityscapes", "--root", place / "town", "--socket", place / "s")
    ) as (base, _):
        picture.rename(place / "away.png")
        try:
            for path in ("", "/image", "/truth"):
                answer = httpx.get(f"{base}/gallery/{frame}{path}", timeout=60)
                assert answer.status_code == 422
                assert "fra\\udce9me" in answer.json()["detail"]
        finally:
            (place / "away.png").rename(picture)


def test_a_note_is_one_line_of_text(client: httpx.Client, place: Path) -> None:
    drive = place / "drives" / "a.mcap"
    drive.write_bytes(b"")
    for note in ("a\0b", "a\nb", "\x1b[31m", "\x85"):
        answer = client.post("/drives/a.mcap/marks", json={"at_s": 1, "note": note})
        assert answer.status_code == 422 and "control characters" in answer.json()["detail"]
    kept = client.post("/drives/a.mcap/marks", json={"at_s": 1, "note": "un élan ?"})
    assert kept.json()["marks"][0]["note"] == "un élan ?"
    marks = {"marks": [{"at_s": 1, "note": "a\0b", "when": "\n"}]}
    drive.with_name("a.mcap.notes.json").write_text(json.dumps(marks))
    told = client.get("/drives/a.mcap/marks").json()["marks"]
    assert told == [{"at_s": 1, "note": r"a\x00b", "when": r"\n"}]


def test_a_date_that_no_calendar_has() -> None:
    """A file system with 64 bits for it keeps any, and one such file spoiled the whole list."""
    assert utc(2.0**40).startswith("9999-12-31") and utc(-(2.0**40)).startswith("1970-01-01")


def test_a_name_in_an_archive_is_whole(client: httpx.Client) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a\x1b\xc2\x85\xff.png"'
        b"\r\n\r\n" + encoded(town_picture()) + b"\r\n--x--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.post("/predict/batch", content=body, headers=kind)
    assert answer.status_code == 200
    (name,) = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert name == "000-a__�.png" and name.isprintable()


def changed(result: Any, *path: Any, to: Any) -> Any:
    """A copy with another value at that place."""
    result = json.loads(json.dumps(result))
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return result


BROKEN: dict[str, Callable[[Any], Any]] = {
    "lacks a category": lambda r: changed(r, "networks", 0, "categories", to=[]),
    "other categories": lambda r: changed(r, "networks", 0, "frames", 0, "iou", to={"x": 1}),
    "no confusion": lambda r: changed(r, "networks", 0, "confusion", to=[]),
    "negative counts": lambda r: changed(
        r, "networks", 0, "confusion", 1, to=[10**400, 1 - 10**400, 0, 0, 0, 0, 0, 0]
    ),
    "agrees on no frame": lambda r: changed(r, "agreement", to=[]),
}
ODD_IDS = ('a"b\r\nX-Evil: 1', "é", "\u4e2d", "a\0b", "\ud800")


def test_a_stored_result_may_be_anything(client: httpx.Client, place: Path) -> None:
    name = client.get("/models").json()["default"]
    made = client.post("/evaluations", json={"a": name}).json()["id"]
    wait_for(lambda: client.get(f"/evaluations/{made}").json()["state"] == "done", "it is done")
    result = client.get(f"/evaluations/{made}/result").json()
    stored = {f"id {n}": {**result, "id": odd} for n, odd in enumerate(ODD_IDS)}
    stored |= {name: change(result) for name, change in BROKEN.items()}
    stored |= {"nan": changed(result, "networks", 0, "miou", to=float("nan")), 'quo"te é': result}
    for name, content in stored.items():
        (place / "results" / name).mkdir()
        (place / "results" / name / "result.json").write_text(json.dumps(content))
    listed = {job["id"] for job in client.get("/evaluations").json()["jobs"]}
    assert set(stored) <= listed
    for name in stored:
        info = client.get(f"/evaluations/{name}")
        whole = info.status_code == 200
        assert whole or info.status_code == 422, (name, info.text)
        assert name not in BROKEN or not whole
        for form in ("json", "csv", "html"):
            answer = client.get(f"/evaluations/{name}/result", params={"format": form})
            assert answer.status_code == info.status_code, (name, answer.text)
            assert "x-evil" not in answer.headers
