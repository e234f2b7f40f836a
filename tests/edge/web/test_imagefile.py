"""Pictures of any bytes: decoded as their header said, or refused with one sentence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web_parts import encoded, town_picture

from roadmask.errors import DataError
from roadmask.web.pictures.decode import decode_picture, read_header

FILES = [encoded(town_picture(80, 48), suffix) for suffix in (".png", ".jpg", ".webp")]
MAX_PIXELS = 100_000


@pytest.mark.parametrize("data", FILES)
def test_the_header_says_the_size(data: bytes) -> None:
    header = read_header(data)
    assert (header.width, header.height) == (80, 48)
    assert not header.animated and not header.truncated
    assert decode_picture(data, 80 * 48).shape == (48, 80, 3)
    with pytest.raises(DataError, match="80x48"):
        decode_picture(data, 80 * 48 - 1)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    data=st.sampled_from(FILES),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    keep=st.integers(0, 3000),
)
def test_damaged_files(data: bytes, changes: list[tuple[int, int]], keep: int) -> None:
    damaged = bytearray(data)
    for at, value in changes:
        damaged[at % len(damaged)] = value
    decode_or_refuse(bytes(damaged[:keep]))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8X"]),
    rest=st.binary(max_size=100),
)
def test_any_bytes(start: bytes, rest: bytes) -> None:
    decode_or_refuse(start + rest)


def decode_or_refuse(data: bytes) -> None:
    try:
        picture = decode_picture(data, MAX_PIXELS)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        header = read_header(data)
        assert picture.shape in (
            (header.height, header.width, 3),
            (header.width, header.height, 3),  # turned by EXIF
        )
