"""Take a source's URI apart, and read its options by name and type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl

from roadmask.errors import ConfigError
from roadmask.sources.turn import NO_TURN, Turn
from roadmask.system.ranges import LATENCY_MS

STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https", "udp")
_RAW_SCHEMES = ("gst", *STREAM_SCHEMES)  # what follows is theirs, a question mark included
SCHEMES = ("v4l2", "picamera2", "synthetic", *_RAW_SCHEMES)
FORMS = (
    "/dev/video0, v4l2:/dev/video0?width=1280, picamera2:0, gst:PIPELINE, rtsp://..., "
    "a video file, a folder of images or synthetic:town?seed=1"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# At the end of an address whose query is not ours; what stands before is passed on as it is.
_ASSERTED = re.compile(r"(?:[?&](?:live|latency_ms|rotate|hflip|vflip)=[^?&#\s]*)+\s*$")
_EVERY_SOURCE = ("live", "latency_ms", "rotate", "hflip", "vflip")


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a word that is not in ``known``."""
    names = {name.lower(): name for name in sorted(known)}
    close = difflib.get_close_matches(word.lower(), names, n=1)
    if close:
        return f"did you mean {names[close[0]]!r}?"
    return f"known: {', '.join(names.values()) or 'none'}"


@dataclass
class Options:
    """The ``?name=value&...`` part of a URI; every value that is taken is checked."""

    uri: str
    values: dict[str, str] = field(default_factory=dict)

    def only(self, known: Iterable[str]) -> None:
        """Refuse names outside ``known``.

        Raises:
            ConfigError: names the nearest known one.
        """
        known = list(known)
        for name in self.values:
            if name not in known:
                raise ConfigError(
                    f"source {self.uri!r}: unknown option {name!r}; "
                    f"{nearest(name, [*known, *_EVERY_SOURCE])}"
                )

    def text(self, name: str, default: str, choices: Iterable[str] | None = None) -> str:
        """The value as it stands, one of ``choices`` where given."""
        value = self.values.get(name, default)
        if choices is not None and name in self.values:
            names = list(choices)
            if value not in names:
                raise self._bad(name, value, f"one of {', '.join(names)}; {nearest(value, names)}")
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``."""
        text = self.values.get(name)
        if text is None:
            return default
        if not re.fullmatch(r"-?\d+", text) or not low <= int(text) <= high:
            raise self._bad(name, text, f"a whole number from {low} to {high}")
        return int(text)

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from ``low`` to ``high``."""
        text = self.values.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:  # also true of NaN
            raise self._bad(name, text, f"a number from {low:g} to {high:g}")
        return value

    def switch(self, name: str, default: bool) -> bool:
        """0 or 1."""
        return self.text(name, str(int(default)), ("0", "1")) == "1"

    def _bad(self, name: str, value: str, expected: str) -> ConfigError:
        return ConfigError(f"source {self.uri!r}: option {name}={value!r}, expected {expected}")


@dataclass(frozen=True)
class SourceUri:
    """A URI in parts: ``scheme:target?options``; a bare path has the scheme ``path``.

    Attributes:
        text: the URI without the two that follow, which do not name a camera.
        live: the user asserts that the pictures are of now.
        latency_ms: what may lie between exposure and arrival, as the user asserts; None where he
            does not.
        turn: how every picture is turned.
    """

    text: str
    scheme: str
    target: str
    options: Options
    live: bool = False
    latency_ms: float | None = None
    turn: Turn = NO_TURN

    @property
    def name(self) -> str:
        """The URI without the password that an RTSP address may hold, as printable UTF-8."""
        shown = self.text.encode(errors="backslashreplace").decode()
        return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", shown)

    def asserting(self, live: bool | None, latency_ms: float | None) -> SourceUri:
        """The same with these settings over its own; None leaves one as it is.

        Raises:
            ConfigError: a latency that is none.
        """
        if latency_ms is not None:
            LATENCY_MS.check(latency_ms, "latency_ms")
        return replace(
            self,
            live=self.live if live is None else live,
            latency_ms=self.latency_ms if latency_ms is None else latency_ms,
        )

    def latency_ns(self, default_ns: int) -> int:
        """The asserted latency, or the default."""
        return default_ns if self.latency_ms is None else round(self.latency_ms * 1e6)


def parse_uri(text: str) -> SourceUri:
    """Take ``text`` apart; nothing is opened.

    Raises:
        ConfigError: empty, an unknown scheme, or options that are not ``name=value``.
    """
    if not text:
        raise ConfigError(f"source is empty: expected {FORMS}")
    match = _SCHEME.match(text)
    if match and match[1] in _RAW_SCHEMES:
        address = _ASSERTED.sub("", text)
        target = address[match.end() :] if match[1] == "gst" else address
        if not address[match.end() :].strip("/ "):
            raise ConfigError(f"source {text!r} names nothing: expected {FORMS}")
        asserted = _options(text, text[len(address) + 1 :].rstrip().replace("?", "&"))
        return _take_assertions(SourceUri(address, match[1], target, asserted))
    if text.isdecimal() and not Path(text).exists():
        raise ConfigError(f"source {text!r}: did you mean /dev/video{text}?")
    if Path(text).exists():  # a file may have a question mark or a colon in its name
        return SourceUri(text, "path", text, Options(text))
    target, mark, query = text.partition("?")
    match = _SCHEME.match(target)
    scheme = "path"
    if match and not Path(target).exists():
        scheme, target = match[1], target[match.end() :]
        if scheme not in SCHEMES:
            raise ConfigError(
                f"source {text!r}: unknown kind {scheme!r}; {nearest(scheme, SCHEMES)}; "
                f"expected {FORMS}"
            )
    if not target:
        raise ConfigError(f"source {text!r} names nothing: expected {FORMS}")
    return _take_assertions(SourceUri(text, scheme, target, _options(text, query if mark else "")))


def _take_assertions(uri: SourceUri) -> SourceUri:
    options = uri.options
    live = options.switch("live", False)
    degrees = options.text("rotate", "0", ("0", "90", "180", "270"))
    turn = Turn(int(degrees), options.switch("hflip", False), options.switch("vflip", False))
    latency_ms = options.number("latency_ms", -1.0, 0.0, LATENCY_MS.most)
    for name in _EVERY_SOURCE:
        options.values.pop(name, None)
    return replace(uri, live=live, latency_ms=None if latency_ms < 0 else latency_ms, turn=turn)


def _options(text: str, query: str) -> Options:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise ConfigError(
            f"source {text!r}: options {query!r}, expected name=value&name=value"
        ) from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values:
            raise ConfigError(f"source {text!r}: option {name!r} is given twice; keep one")
        values[name] = value
    return Options(text, values)
