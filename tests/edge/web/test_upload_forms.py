"""Forms that are wrong: one sentence each."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from upload_parts import GREY, PICTURE, png_of
from web_parts import encoded

NIBBLES = png_of(320, 180, bytes(161 * 180), kind=0, depth=4)
BAD_FORMS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no form": ({"content": encoded(PICTURE), "headers": {"Content-Type": "image/png"}}, 415, ""),
    "no type": ({"content": b"x"}, 415, "multipart/form-data"),
    "no boundary": (
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 415, ""
    ),
    "not that form": (
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=a"}}, 400, ""
    ),
    "cut": (
        {
            "content": b'--a\r\nContent-Disposition: form-data; name="image"\r\n\r\nx',
            "headers": {"Content-Type": "multipart/form-data; boundary=a"},
        },
        400,
        "last boundary",
    ),
    "no name": (
        {
            "content": b"--a\r\nContent-Type: image/png\r\n\r\nx\r\n--a--\r\n",
            "headers": {"Content-Type": "multipart/form-data; boundary=a"},
        },
        400,
        "no name",
    ),
    "long headers": (
        {
            "content": b"--a\r\n" + b"X-Y: " + b"z" * 20_000 + b"\r\n\r\nx\r\n--a--\r\n",
            "headers": {"Content-Type": "multipart/form-data; boundary=a"},
        },
        400,
        "header size",
    ),
    "other part": ({"files": {"picture": encoded(PICTURE)}}, 422, "picture"),
    "two images": (
        {"files": [("image", encoded(PICTURE)), ("image", encoded(PICTURE))]}, 413, "at most 1"
    ),
    "many parts": ({"files": [(f"x{n}", b"x") for n in range(100)]}, 413, "parts"),
    "truth of another size": (
        {
            "files": {"image": encoded(PICTURE), "truth": encoded(GREY[:9] * 0)},
            "params": {"format": "json"},
        },
        422,
        "one size",
    ),
    "truth with odd ids": (
        {
            "files": {"image": encoded(PICTURE), "truth": encoded(GREY * 0 + 200)},
            "params": {"format": "json"},
        },
        422,
        "truth_labels",
    ),
    "truth in grey of 4 bits": (  # which decoders stretch: no id of it would be what it was
        {
            "files": {"image": encoded(PICTURE), "truth": NIBBLES},
            "params": {"format": "json"},
        },
        422,
        "4-bit",
    ),
    "truth in odd colours": (
        {
            "files": {"image": encoded(PICTURE), "truth": encoded(PICTURE)},
            "params": {"format": "json"},
        },
        422,
        "colours",
    ),
    "unknown model": (
        {"files": {"image": encoded(PICTURE)}, "params": {"model": "../x"}}, 404, "roadlite"
    ),
    "unknown format": (
        {"files": {"image": encoded(PICTURE)}, "params": {"format": "gif"}}, 422, "format"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FORMS)
def test_a_bad_form_is_one_sentence(client: httpx.Client, name: str) -> None:
    request, status, words = BAD_FORMS[name]
    answer = client.post("/predict/", **request)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert words in problem["detail"] and "\n" not in problem["detail"]
