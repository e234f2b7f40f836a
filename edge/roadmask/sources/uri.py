"""Take a source's URI apart, and read its options by name and type."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from roadmask.errors import ConfigError

STREAM_SCHEMES = ("rtsp", "rtsps", "http", "https")
_RAW_SCHEMES = ("gst", *STREAM_SCHEMES)  # what follows is theirs, a question mark included
SCHEMES = ("v4l2", "picamera2", "synthetic", *_RAW_SCHEMES)
FORMS = (
    "/dev/video0, v4l2:/dev/video0?width=1280, picamera2:0, gst:PIPELINE, rtsp://..., "
    "a video file, a folder of images or synthetic:town?seed=1"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


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
                    f"source {self.uri!r}: unknown option {name!r}; {nearest(name, known)}"
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
    """A URI in parts: ``scheme:target?options``; a bare path has the scheme ``path``."""

    text: str
    scheme: str
    target: str
    options: Options

    @property
    def name(self) -> str:
        """The URI without the password that an RTSP address may hold, as printable UTF-8."""
        shown = self.text.encode(errors="backslashreplace").decode()
        return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", shown)


def parse_uri(text: str) -> SourceUri:
    """Take ``text`` apart; nothing is opened.

    Raises:
        ConfigError: empty, an unknown scheme, or options that are not ``name=value``.
    """
    if not text:
        raise ConfigError(f"source is empty: expected {FORMS}")
    match = _SCHEME.match(text)
    if match and match[1] in _RAW_SCHEMES:
        target = text[match.end() :] if match[1] == "gst" else text
        if not text[match.end() :].strip("/ "):
            raise ConfigError(f"source {text!r} names nothing: expected {FORMS}")
        return SourceUri(text, match[1], target, Options(text))
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
    return SourceUri(text, scheme, target, _options(text, query if mark else ""))


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
