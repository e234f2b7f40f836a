"""Texts that hold numbers are taken apart in one way, and what does not fit is one sentence."""

from __future__ import annotations

import pytest

from roadmask.errors import ConfigError
from roadmask.system.forms import CORES, CROP, INPUT_RANGE, SIZE, Form


@pytest.mark.parametrize(
    ("form", "text", "parts"),
    [
        (SIZE, "480x352", ("480", "352")),
        (CROP, "0,160,1280,560", ("0", "160", "1280", "560")),
        (CORES, "0,2-3", ()),
        (INPUT_RANGE, "-1..1", ("-1", "1")),
        (INPUT_RANGE, "imagenet", ("", "")),
    ],
)
def test_the_parts(form: Form, text: str, parts: tuple[str, ...]) -> None:
    assert form.take(text, "it") == parts


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        (SIZE, ["", "0x352", "480x16385", "480×352", "480x352\n", "x", "-1x2"]),
        (CROP, ["0,0,0,80", "0,0,80,0", "-8,0,80,80", "1,2,3", "0,0,80,16385"]),
        (CORES, [",", "1-", "-1", "1;2", "x"]),
        (INPUT_RANGE, ["1..0", "0..0", "0..1e999", "-1e999..1", "0..nan", "ImageNet"]),
    ],
)
def test_what_is_not_of_the_form(form: Form, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(ConfigError, match=r"^it .*: expected "):
            form.take(text, "it")
