"""A source's address, taken apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from source_parts import SIZE

from roadmask.errors import ConfigError
from roadmask.sources import (
    open_source,
)
from roadmask.sources.uri import parse_uri


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("", "source is empty: expected /dev/video0"),
        ("synthetic:", "names nothing"),
        ("rtsp://", "names nothing"),
        ("gst: ", "names nothing"),
        ("0", "did you mean /dev/video0"),
        ("v4l:/dev/video0", "unknown kind 'v4l'; did you mean 'v4l2'"),
        ("picamera2:front", "the camera's number, as picamera2:0"),
        ("synthetic:twon", "unknown world 'twon'; did you mean 'town'"),
        ("synthetic:town?sed=1", "unknown option 'sed'; did you mean 'seed'"),
        ("synthetic:town?seed=1&seed=2", "'seed' is given twice"),
        ("synthetic:town?seed", "expected name=value"),
        ("synthetic:town?seed=x", "seed='x', expected a whole number from 0"),
        ("synthetic:town?width=1", "width='1', expected a whole number from 64"),
        ("synthetic:town?fps=nan", "fps='nan', expected a number from 0.01"),
        ("synthetic:town?weather=rian", "did you mean 'rain'"),
        ("rtsp://c/x?live=yes", "live='yes', expected one of 0, 1"),
        ("rtsp://c/x?latency_ms=-1", "latency_ms='-1', expected a number from 0 to 60000"),
        ("rtsp://c/x?live=1&live=1", "'live' is given twice"),
        ("synthetic:town?realtime=yes", "realtime='yes', expected one of 0, 1"),
    ],
)
def test_a_malformed_uri_says_what_was_expected(uri: str, what: str) -> None:
    with pytest.raises(ConfigError) as error:
        open_source(uri)
    assert what in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_may_have_a_question_mark_in_its_name(video: Path) -> None:
    odd = video.rename(video.with_name("what?is=this:that.mp4"))
    assert parse_uri(str(odd)).target == str(odd)
    with open_source(str(odd)) as source:
        assert source.size == SIZE


def test_the_query_of_a_network_address_is_its_own() -> None:
    uri = parse_uri("rtsp://camera/live?channel=1&subtype=0")
    assert uri.target == "rtsp://camera/live?channel=1&subtype=0"
    assert not uri.options.values


@pytest.mark.parametrize(
    ("text", "target", "live", "latency_ms"),
    [
        ("rtsp://c/x?channel=1&live=1&latency_ms=80", "rtsp://c/x?channel=1", True, 80.0),
        ("rtsp://c/x?live=1", "rtsp://c/x", True, None),
        ("http://c/x?latency_ms=2.5", "http://c/x", False, 2.5),
        ("rtsp://c/x?live=1&channel=2", "rtsp://c/x?live=1&channel=2", False, None),
        ("rtsp://c/x?live=0", "rtsp://c/x", False, None),
        ("udp://@:5000?live=1", "udp://@:5000", True, None),
        ("gst:a ! b c=d ! appsink drop=true?live=1&latency_ms=100 ",
         "a ! b c=d ! appsink drop=true", True, 100.0),
        ("v4l2:/dev/video0?width=640&latency_ms=90", "/dev/video0", False, 90.0),
    ],
)  # fmt: skip
def test_two_settings_are_taken_off_the_end(
    text: str, target: str, live: bool, latency_ms: float | None
) -> None:
    uri = parse_uri(text)
    assert (uri.target, uri.live, uri.latency_ms) == (target, live, latency_ms)
    assert "live" not in uri.options.values and "latency_ms" not in uri.options.values
