"""More than fifty odd files at one server, among whole ones: none spoils another's, no 5xx."""

from __future__ import annotations

import io
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from page_parts import from_data_url
from test_upload_pictures import BAD, ODD
from upload_parts import JPEG, PICTURE, chunk, peak_mib, png_of
from web_parts import decoded, encoded, engines_own, server

DAMAGED = 24  # of each kind of file, cut or with bytes changed
GROUP = 10  # odd pictures of a batch


def pillow_files() -> dict[str, bytes]:
    """What OpenCV does not write: palettes, few bits, interlace, CMYK, colour profiles."""
    image = pytest.importorskip("PIL.Image").fromarray(np.ascontiguousarray(PICTURE[..., ::-1]))
    made = {}
    for name, picture, form, options in (
        ("palette", image.quantize(16), "PNG", {}),
        ("palette with a clear colour", image.quantize(16), "PNG", {"transparency": 3}),
        ("one bit", image.convert("1"), "PNG", {}),
        ("grey with alpha", image.convert("LA"), "PNG", {}),
        ("cmyk", image.convert("CMYK"), "JPEG", {}),
        ("grey jpeg", image.convert("L"), "JPEG", {}),
        ("progressive", image, "JPEG", {"progressive": True}),
        ("a profile that is none", image, "JPEG", {"icc_profile": bytes(3000)}),
        ("lossless webp", image, "WEBP", {"lossless": True}),
        ("tiff", image, "TIFF", {}),
        ("bmp", image, "BMP", {}),
        ("ico", image, "ICO", {}),
    ):
        buffer = io.BytesIO()
        picture.save(buffer, form, **options)
        made[name] = buffer.getvalue()
    return made


def damaged() -> dict[str, bytes]:
    """Whole files, cut or with some bytes changed: what a bad link or a bad program makes."""
    source, made = random.Random(5), {}
    whole = {"png": encoded(PICTURE), "jpeg": JPEG, "webp": encoded(PICTURE, ".webp")}
    for kind, data in whole.items():
        for number in range(DAMAGED):
            spoiled = bytearray(data)
            if number % 3 == 0:
                del spoiled[source.randrange(len(data)) :]
            for _ in range(number):
                spoiled[source.randrange(len(spoiled))] = source.randrange(256)
            made[f"{kind} {number}"] = bytes(spoiled)
    return made


def odd_files() -> dict[str, bytes]:
    data = encoded(PICTURE)
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<x/>" * 1000)
    return {
        **{f"bad: {name}": case[0] for name, case in BAD.items()},
        **{f"odd: {name}": case[0] for name, case in ODD.items()},
        "one column of the tallest": png_of(1, 16384, bytes(4 * 16384)),
        "one row of the widest": png_of(16384, 1, bytes(3 * 16384 + 1)),
        "much text": data[:33] + text * 50 + data[33:],
        "two heads": data[:33] + data[8:],
        "four bits of grey": png_of(16, 16, bytes(16 * 9), kind=0, depth=4),
        "bits that no png has": png_of(16, 16, bytes(16 * 49), kind=2, depth=3),
        "a colour type that no png has": png_of(16, 16, bytes(16 * 49), kind=5),
        "a png in a jpeg's name": data,
        **pillow_files(),
        **damaged(),
    }


@pytest.mark.slow
def test_none_spoils_another_and_none_is_a_5xx(shipped_model: Path, tmp_path: Path) -> None:
    files = odd_files()
    assert len(files) > 100
    whole = encoded(PICTURE)
    wanted = engines_own(shipped_model, PICTURE)[0]
    seen: Counter[int] = Counter()
    with (
        server("--socket", tmp_path / "s") as (base, process),
        httpx.Client(base_url=base, timeout=120) as client,
    ):
        assert client.post("/predict/", files={"image": whole}).status_code == 200
        before = peak_mib(process.pid)

        def alone(data: bytes) -> httpx.Response:
            while True:
                answer = client.post("/predict/", files={"image": ("odd", data)})
                if answer.status_code != 503:  # the line is full: that is no failure
                    return answer

        with ThreadPoolExecutor(8) as pool:
            answers = dict(zip(files, pool.map(alone, files.values()), strict=True))
        for name, answer in answers.items():
            seen[answer.status_code] += 1
            assert answer.status_code in (200, 413, 422), (name, answer.text)
            if answer.status_code != 200:
                assert "\n" not in answer.json()["detail"], name
        names = list(files)
        for start in range(0, len(names), GROUP):
            some = names[start : start + GROUP]
            sent: list[Any] = [("image", ("whole", whole))]
            for name in some:
                sent += [("image", ("odd", files[name])), ("image", ("whole", whole))]
            batch = client.post("/predict/batch?format=json", files=sent)
            assert batch.status_code == 200, (some, batch.text[:300])
            items = batch.json()["predictions"]
            for name, item in zip(some, items[1::2], strict=True):
                assert bool(item["prediction"]) == (answers[name].status_code == 200), name
            for item in items[::2]:
                mask = decoded(from_data_url(item["prediction"]["mask"]))
                assert np.array_equal(mask, wanted), some
        grown = peak_mib(process.pid) - before
        assert client.get("/readyz").status_code == 200
    print(f"{len(files)} files: {dict(seen)}, {grown:.0f} MiB more at most")
    assert grown < 64  # what they announce would be gigabytes
